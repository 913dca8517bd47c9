//! Tests of time intervals.
