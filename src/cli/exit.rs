//! How a command ends and speaks: exit statuses, results to standard output, complaints to standard error.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all is well.
    Fine,
    /// 1: the checked thing is wrong, or the work failed.
    Wrong,
    /// 2: the command was called in a way that makes no sense.
    Usage,
    /// 3: the server can't be reached.
    Unreachable,
}

impl Exit {
    /// Says what is wrong, and is [`Exit::Wrong`].
    pub fn wrong(why: impl Display) -> Exit {
        complain(why);
        Exit::Wrong
    }

    /// Says what makes no sense, and is [`Exit::Usage`].
    pub fn usage(why: impl Display) -> Exit {
        complain(why);
        Exit::Usage
    }

    /// Says who can't be reached, and is [`Exit::Unreachable`].
    pub fn unreachable(why: impl Display) -> Exit {
        complain(why);
        Exit::Unreachable
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Writes a result to standard output at once.
///
/// # Errors
/// If nobody reads it any more.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn complain(why: impl Display) {
    // Nobody to tell when standard error itself is gone.
    let _ = writeln!(io::stderr(), "error: {why}");
}
