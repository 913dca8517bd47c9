//! Pure decisions: windows, incident lifecycle, grouping, rate limit. No clock, no I/O.
