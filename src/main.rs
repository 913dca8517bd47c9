//! The binary: hands the command line to the library.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only if one is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    pushwatch::cli::run()
}
