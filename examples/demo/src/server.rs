//! Building and running the server, and talking to it as an admin does: with its own command line.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Where the pieces are.
pub struct Artifacts {
    hotshell: PathBuf,
    kv_v1: String,
    /// The next version of the plugin.
    pub kv_v2: String,
}

/// A running server; ended when this is dropped.
pub struct Server {
    child: Child,
    hotshell: PathBuf,
    admin: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddr,
}

/// Builds hotshell and both plugin versions with the cargo that runs this program.
pub fn build() -> Result<Artifacts> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    println!("$ cargo build --release -p hotshell -p kv-v1 -p kv-v2");
    let status = Command::new(cargo)
        .args(["build", "--release", "-p", "hotshell", "-p", "kv-v1", "-p", "kv-v2"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the build failed; its messages are above");
    let folder = std::env::current_exe()?.parent().context("no folder")?.to_owned();
    let find = |name: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        ensure!(path.exists(), "{} is missing: run this with --release", path.display());
        Ok(path)
    };
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    Ok(Artifacts {
        hotshell: find("hotshell")?,
        kv_v1: text(find("libkv_v1.so")?),
        kv_v2: text(find("libkv_v2.so")?),
    })
}

impl Server {
    /// Starts kv 1.0.0 on port 6380, or on a free one if that is taken.
    pub fn start(artifacts: &Artifacts) -> Result<Self> {
        let listen = match TcpListener::bind("127.0.0.1:6380") {
            Ok(free) => free.local_addr()?,
            Err(_) => TcpListener::bind("127.0.0.1:0")?.local_addr()?,
        };
        let admin = std::env::temp_dir().join(format!("hotshell-demo-{}.sock", std::process::id()));
        println!(
            "$ hotshell serve --plugin {} --listen {listen} --admin {}",
            artifacts.kv_v1,
            admin.display()
        );
        let child = Command::new(&artifacts.hotshell)
            .args(["serve", "--log-level", "warn", "--plugin", &artifacts.kv_v1])
            .args(["--listen", &listen.to_string(), "--admin"])
            .arg(&admin)
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start hotshell")?;
        let mut server = Self { child, hotshell: artifacts.hotshell.clone(), admin, listen };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.listen).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("hotshell ended with {status}; its reason is above");
            }
            ensure!(Instant::now() < deadline, "hotshell does not listen on {}", self.listen);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Runs an admin verb and shows it as it would look in a terminal.
    pub fn admin(&self, args: &[&str]) -> Result<()> {
        println!("$ hotshell {}", args.join(" "));
        let status = self.command(args).status().context("cannot run hotshell")?;
        ensure!(status.success(), "hotshell {} failed", args[0]);
        Ok(())
    }

    /// The longest stop that the host measured, microseconds, as `status` prints it.
    pub fn longest_stop_us(&self) -> Result<String> {
        let output = self.command(&["status", "--json"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, rest) = text.split_once("\"swap_pause_us_max\":").context("no such figure")?;
        let figure = rest.trim_start().split([',', '}', '\n']).next();
        Ok(figure.unwrap_or_default().trim().to_owned())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.hotshell);
        command.args(args).arg("--admin").arg(&self.admin);
        command
    }

    /// Ends the server as SIGTERM does, and waits for it.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().context("cannot run kill")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "hotshell ended with {status}");
        Ok(())
    }

    /// Says what can be tried and waits until the reader ends the server with Ctrl-C.
    pub fn leave_running(mut self, artifacts: &Artifacts) -> Result<()> {
        let folder = Path::new(&artifacts.kv_v1).parent().context("no folder")?.display();
        println!("The server keeps running. Try, in another terminal:");
        println!("  export PATH=\"{folder}:$PATH\" HOTSHELL_ADMIN={}", self.admin.display());
        println!("  redis-cli -p {} set key value", self.listen.port());
        println!("  hotshell status");
        println!("  hotshell swap {}", artifacts.kv_v1);
        println!("  hotshell rollback");
        println!("Ctrl-C ends it.");
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.admin);
    }
}
