//! rules.yaml: shapes as written, and the compiled set that is used.

pub mod compiled;
pub use compiled::{Condition, Plan, RateLimit, Rule, RuleSet};
