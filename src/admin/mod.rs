//! The operators' door: health and metrics.
