//! `cargo run --release -p hotshell-demo`: watch a server change its code while clients use it.
//!
//! Builds hotshell and two versions of the kv plugin, starts version 1, lets clients work on it, swaps
//! to version 2 and back under them, and leaves the server running to play with.
//! `-- --once` ends it instead.

mod clients;
mod server;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use clients::Clients;
use server::Server;

const WATCH: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    let once = std::env::args().any(|arg| arg == "--once");
    let artifacts = server::build()?;
    let server = Server::start(&artifacts)?;
    say(&format!(
        "kv 1.0.0 listens on {}; 8 clients write and check what they wrote",
        server.listen
    ));
    let clients = Clients::start(server.listen)?;
    watch(&clients)?;

    say("a client waits in BLPOP, another one has sent half of a request, a third one listens");
    let waiting = clients::Witnesses::connect(server.listen)?;
    say(&format!("version 1 says to GETDEL: {}", waiting.try_getdel()?));

    server.admin(&["swap", &artifacts.kv_v2])?;
    watch(&clients)?;
    say(&format!("version 2 says to GETDEL: {}", waiting.try_getdel()?));
    waiting.finish()?;
    say("the BLPOP was answered, the half request was completed, the message arrived");

    server.admin(&["rollback"])?;
    watch(&clients)?;
    for target in ["2", "1", "2"] {
        server.admin(&["use", target])?;
    }
    watch(&clients)?;
    server.admin(&["list"])?;

    let total = clients.stop();
    println!();
    println!("  requests answered  {}", grouped(total.answered));
    println!("  replies wrong      {}", total.wrong);
    println!("  connections lost   {}", total.lost);
    println!("  longest stop       {} us", server.longest_stop_us()?);
    println!();
    anyhow::ensure!(total.lost + total.wrong == 0, "something was lost: please report this");
    if once {
        return server.stop();
    }
    server.leave_running(&artifacts)
}

fn say(text: &str) {
    println!("-- {text}");
}

/// Shows the clients' progress for a moment.
fn watch(clients: &Clients) -> Result<()> {
    let begun = Instant::now();
    let mut last = clients.answered();
    while begun.elapsed() < WATCH {
        std::thread::sleep(Duration::from_millis(500));
        let now = clients.answered();
        let total = clients.total();
        println!(
            "   {:>10} requests answered  {:>9}/s  wrong {}  connections lost {}",
            grouped(now),
            grouped((now - last) * 2),
            total.wrong,
            total.lost
        );
        last = now;
    }
    std::io::stdout().flush().context("the terminal is gone")
}

/// 1234567 as 1,234,567.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
