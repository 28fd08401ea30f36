//! The program `bindery`: checks, plans, renders and seals from the command line.

mod cli;

fn main() -> std::process::ExitCode {
    pass_over_certificates();
    cli::main()
}

/// Built together with the agent, libgit2 reads every certificate of the system as soon as a repository is opened: longer
/// than a small check takes. This program opens no connection and starts no other program.
#[expect(unsafe_code, reason = "OpenSSL is told by the environment alone, and no other thread runs yet")]
fn pass_over_certificates() {
    // SAFETY: this is the first thing the only thread does.
    unsafe { std::env::set_var("SSL_CERT_FILE", "/dev/null") };
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
