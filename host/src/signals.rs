//! Signals: SIGTERM and SIGINT stop, SIGHUP reloads every server.

use std::rc::Rc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::commands::{Request, execute, find};
use crate::control::Control;
use crate::error::{Code, Error, Result};
use crate::observe::systemd;
use crate::options::Options;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The signals the host listens to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// `START` when the system refuses.
    pub fn new() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                let message = "cannot listen to signals";
                Error::new(Code::Start, message, error.to_string(), "report this")
            })
        };
        let terminate = listen(SignalKind::terminate())?;
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt, hangup: listen(SignalKind::hangup())? })
    }

    /// The next thing asked for.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Waits until the process is asked to stop; a reload is of no use then and is passed over.
    pub async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}

/// Reloads every server, one after the other, each from its active generation's own file. The
/// outcome of each is in the log, as with every verb.
pub fn reload(control: &Rc<Control>) {
    let control = control.clone();
    systemd::reloading();
    tokio::task::spawn_local(async move {
        let names: Vec<String> = control.servers().iter().map(|s| s.name.clone()).collect();
        for name in names {
            let options = Options { server: Some(name), ..Options::default() };
            let verb = find("reload").expect("it is in the table");
            let asker = "signal SIGHUP".to_owned();
            let request = Request { verb, args: Vec::new(), options, asker };
            // The control thread has logged the outcome; nobody else waits for it.
            let _ = execute(&control, request).await;
        }
        systemd::ready();
    });
}
