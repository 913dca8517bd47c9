//! The full name of a stream: push domain, path (AppName) and stream id, kept as one shared string.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `domain/path/stream_id` in one allocation. Two names are equal only if all three parts are, so a part
/// with a `/` in it can't pass for another stream. Cheap to clone.
///
/// Every part is hostile text of at most [`StreamName::MAX_PART`] bytes; a longer one is cut at a character.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    full: Arc<str>,
    domain_end: u16,
    path_end: u16,
}

impl StreamName {
    /// Longest part kept, in bytes: far above what the console allows, small enough to bound memory.
    pub const MAX_PART: usize = 1024;

    /// Builds a name of its parts, cutting each at [`StreamName::MAX_PART`] bytes.
    #[must_use]
    pub fn new(domain: &str, path: &str, stream: &str) -> StreamName {
        let (domain, path, stream) = (cut(domain), cut(path), cut(stream));
        let mut full = String::with_capacity(domain.len() + path.len() + stream.len() + 2);
        full.push_str(domain);
        full.push('/');
        full.push_str(path);
        full.push('/');
        full.push_str(stream);
        // Each part is at most MAX_PART, so both ends fit a u16.
        let domain_end = domain.len() as u16;
        let path_end = domain_end + 1 + path.len() as u16;
        StreamName { full: full.into(), domain_end, path_end }
    }

    /// The push domain, `push.example.com`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.full[..usize::from(self.domain_end)]
    }

    /// The push path (AppName), `live`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.full[usize::from(self.domain_end) + 1..usize::from(self.path_end)]
    }

    /// The stream id, `cam1`.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.full[usize::from(self.path_end) + 1..]
    }

    /// `domain/path/stream_id`.
    #[must_use]
    pub fn full(&self) -> &str {
        &self.full
    }
}

fn cut(part: &str) -> &str {
    &part[..part.floor_char_boundary(StreamName::MAX_PART)]
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.full)
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.domain(), self.path(), self.stream()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StreamName, D::Error> {
        let (domain, path, stream) = <(String, String, String)>::deserialize(deserializer)?;
        Ok(StreamName::new(&domain, &path, &stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_a_slash_inside_a_part_is_no_other_stream() {
        let name = StreamName::new("push.example.com", "live", "cam1");
        assert_eq!((name.domain(), name.path(), name.stream()), ("push.example.com", "live", "cam1"));
        assert_eq!(name.full(), "push.example.com/live/cam1");
        assert_ne!(StreamName::new("a/b", "c", "d"), StreamName::new("a", "b/c", "d"));
        let empty = StreamName::new("", "", "");
        assert_eq!((empty.domain(), empty.path(), empty.stream()), ("", "", ""));
    }

    #[test]
    fn a_huge_part_is_cut_at_a_character() {
        let name = StreamName::new("d", "p", &"流".repeat(2000));
        assert!(name.stream().len() <= StreamName::MAX_PART);
        assert!(name.stream().chars().all(|c| c == '流'));
    }
}
