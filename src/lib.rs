//! pushwatch: real-time alerts for live streams, from Tencent Cloud's signed callbacks to chat messages.
//!
//! # One callback's way
//!
//! ```text
//! Tencent ──POST──▶ ingest: verify ─ parse ─▶ Event
//!                                            │ append: group commit to the journal
//!              200 {"code":0} ◀── committed ─┤
//!                                            ▼ next: entries after the cursor
//!                        core: engine.step(entry) ─▶ changes
//!                           └─ commit: incidents + outbox + cursor, one transaction
//!                                            ▼
//!                        deliver, one worker a channel: fold ─▶ render ─▶ send ─▶ judge the reply
//! ```
//!
//! Three loops in a row, joined by two durable queues: the journal and the outbox. Nothing flows back to an earlier loop;
//! delivery may add rows to the outbox itself, for a digest or for another channel.
//!
//! # Who may know whom
//!
//! Imports point one way; `tests/all/house.rs` holds this table against the source.
//!
//! | room | knows |
//! | --- | --- |
//! | `model`, `clock`, `metrics` | nobody (`clock` and `metrics` know `model`) |
//! | `rules` | `model` |
//! | `engine` | `model`, `rules` |
//! | `store`, `render` | `model` (`store` also `clock` and `metrics`) |
//! | `core` | `model`, `rules`, `engine`, `store`, `clock`, `metrics` |
//! | `deliver` | `model`, `render`, `store`, `clock`, `metrics` |
//! | `listen` | `metrics` |
//! | `command` | `model`, `rules`, `core`'s handle, `clock`, what `store` lists, how `render` cleans text and words figures |
//! | `chat` | `model`, `rules`, `core`'s handle, `command`, `listen`, what `render` makes of answers, `clock`, `metrics`, `store`'s small maps |
//! | `ingest`, `admin` | `model`, `core`'s handle, `listen`, `clock`, `metrics` (`ingest` also what `store` answers) |
//! | `config` | `model`; the only reader of the environment |
//! | `app` | all but `cli` |
//! | `cli` | what it runs |

pub mod model;

pub mod rules;

pub mod engine;

pub mod store;

pub mod core;

pub mod ingest;

pub mod render;

pub mod deliver;

pub mod command;

pub mod chat;

pub mod admin;

pub mod listen;

pub mod metrics;

pub mod clock;

pub mod config;

pub mod app;

pub mod cli;
