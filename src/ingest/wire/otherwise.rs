//! The visits that a tolerant visitor answers with one and the same value.

/// Implements the visits that a tolerant visitor answers with one value for all of them.
macro_rules! otherwise {
    ($value:ty, $otherwise:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($otherwise)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($otherwise)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($otherwise)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($otherwise)
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok(<$value>::default())
        }
    };
}

pub(super) use otherwise;
