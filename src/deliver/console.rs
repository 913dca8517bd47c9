//! Standard output as a chat: the text framed by blank lines, its first line coloured on a terminal.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::call::{Call, Words};
use super::verdict::Verdict;
use crate::render::Sign;

/// Where console channels print. Clones share the writer, so that messages never mix.
#[derive(Clone)]
pub struct Console {
    out: Arc<Mutex<dyn Write + Send>>,
    colour: bool,
}

impl Console {
    /// Standard output, in colour if it is a terminal.
    #[must_use]
    pub fn stdout() -> Console {
        Console { out: Arc::new(Mutex::new(io::stdout())), colour: io::stdout().is_terminal() }
    }

    /// Any other writer, without colours.
    #[must_use]
    pub fn to(writer: impl Write + Send + 'static) -> Console {
        Console { out: Arc::new(Mutex::new(writer)), colour: false }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("colour", &self.colour).finish_non_exhaustive()
    }
}

/// Prints a message, off the async threads: whoever reads the pipe may be slow.
pub(crate) async fn print(console: &Console, call: &Call) -> Verdict {
    let (Words::Rich(text) | Words::Plain(text)) = &call.words;
    let framed = frame(text, call.sign, console.colour);
    let console = console.clone();
    match tokio::task::spawn_blocking(move || console.write(&framed)).await {
        Ok(Ok(())) => Verdict::sent(),
        Ok(Err(error)) => Verdict::PermanentTarget { why: format!("standard output: {error}") },
        Err(_) => Verdict::Retry { why: "printing broke off".into() },
    }
}

fn frame(text: &str, sign: Sign, colour: bool) -> String {
    let text = text.trim_end_matches('\n');
    match (colour, text.split_once('\n')) {
        (false, _) => format!("\n{text}\n"),
        (true, None) => format!("\n{}{text}{RESET}\n", ansi(sign)),
        (true, Some((first, rest))) => format!("\n{}{first}{RESET}\n{rest}\n", ansi(sign)),
    }
}

const RESET: &str = "\x1b[0m";

fn ansi(sign: Sign) -> &'static str {
    match sign {
        Sign::Critical => "\x1b[1;31m",
        Sign::Warning => "\x1b[1;33m",
        Sign::Info => "\x1b[1;34m",
        Sign::Well => "\x1b[1;32m",
        Sign::Ended | Sign::Muted => "\x1b[1;90m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_and_only_its_first_line_coloured() {
        assert_eq!(frame("late\nwhy\n", Sign::Critical, false), "\nlate\nwhy\n");
        assert_eq!(frame("late\nwhy", Sign::Critical, true), "\n\x1b[1;31mlate\x1b[0m\nwhy\n");
        assert_eq!(frame("well", Sign::Well, true), "\n\x1b[1;32mwell\x1b[0m\n");
    }
}
