//! `export`: the journaled callbacks as JSON lines, also beside a running server.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::duration;
use super::exit::Exit;
use crate::clock::Clock;
use crate::store::sqlite::{Recorded, Scan};

const EXAMPLES: &str = "Examples:
  pushwatch export --since 24h --data-dir /var/lib/pushwatch > callbacks.jsonl
  pushwatch export --since 10m | grep '\"stream_id\":\"cam1\"'

Each line: {\"received_at\":1754623210123,\"body\":{…}}, with the time in ms and secrets masked.";

/// Print the callbacks that were kept, one JSON object a line, oldest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// Only what was received since then [default: everything]
    #[arg(long, env = "PUSHWATCH_SINCE", value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// The server's data folder
    #[arg(long, env = "PUSHWATCH_DATA_DIR", value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
}

/// Prints until the end of the journal as it is now.
pub(super) fn run(args: &ExportArgs) -> Exit {
    let since = args.since.map(|since| Clock::start().wall() - since);
    let entries = match Scan::open(&args.data_dir, since) {
        Ok(entries) => entries,
        Err(error) => return Exit::wrong(error),
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut damage = None;
    let entries = entries.map_while(|entry| entry.map_err(|error| damage = Some(error)).ok());
    match write_lines(entries, &mut out).and_then(|()| out.flush()) {
        // `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => Exit::wrong(format_args!("can't write: {error}")),
        Ok(()) => damage.map_or(Exit::Fine, Exit::wrong),
    }
}

/// A line for each callback; other entries of the journal have no body.
fn write_lines(entries: impl Iterator<Item = Recorded>, out: &mut impl Write) -> io::Result<()> {
    for Recorded { received_at, body, .. } in entries.filter(|entry| !entry.body.is_empty()) {
        write!(out, "{{\"received_at\":{},\"body\":", received_at.0)?;
        out.write_all(&body)?;
        out.write_all(b"}\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::model::{Seq, Timestamp};

    use super::*;

    #[test]
    fn one_line_a_callback_and_none_for_other_entries() {
        let entry = |seq, at, body: &'static str| Recorded {
            seq: Seq(seq),
            received_at: Timestamp(at),
            body: Bytes::from(body),
        };
        let entries = [entry(1, 1000, r#"{"event_type":321}"#), entry(2, 1001, ""), entry(3, 1002, r#"{"a":[]}"#)];
        let mut out = Vec::new();
        write_lines(entries.into_iter(), &mut out).unwrap();
        let wanted =
            "{\"received_at\":1000,\"body\":{\"event_type\":321}}\n{\"received_at\":1002,\"body\":{\"a\":[]}}\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
