//! Probation at work: watches a generation after its `use`, and takes it back when it breaks a rule.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::swap::Asked;
use super::{Control, Server};
use crate::commands::Options;
use crate::error::{Code, Error, Result};
use crate::probation::{Sample, Verdict};

/// How often the counters are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often the self-test looks at the live state.
const TEST: Duration = Duration::from_secs(1);

/// A generation on probation.
#[derive(Debug)]
pub struct Running {
    generation: u64,
    begun: Instant,
    verdict: watch::Sender<Option<Judged>>,
}

/// How a probation ended.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Judged {
    pub generation: u64,
    /// `proven`, `unproven`, `rolled-back`, `alarm` (it failed and there is no way back), or `ended`
    /// (another switch came first).
    pub verdict: &'static str,
    /// The numbers that tipped it.
    pub reason: Option<String>,
    pub seconds: f64,
    #[serde(flatten)]
    pub sample: Sample,
}

/// What `status` and `list` say of a probation that runs.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Watched {
    pub generation: u64,
    pub seconds: f64,
    pub seconds_left: f64,
    #[serde(flatten)]
    pub sample: Sample,
}

impl Server {
    /// The probation that runs now.
    pub fn watched(&self) -> Option<Watched> {
        let running = self.probation.borrow();
        let running = running.as_ref()?;
        let elapsed = running.begun.elapsed();
        Some(Watched {
            generation: running.generation,
            seconds: elapsed.as_secs_f64(),
            seconds_left: self.rules.time.saturating_sub(elapsed).as_secs_f64(),
            sample: Sample::read(&self.handle.counters),
        })
    }

    /// Ends the probation that runs, if any: something else has happened to its generation.
    pub(super) fn end_probation(&self) {
        if let Some(running) = self.probation.borrow_mut().take() {
            let judged = running.judged(self, "ended", None);
            self.conclude(&running, judged);
        }
    }

    fn conclude(&self, running: &Running, judged: Judged) {
        self.events.judged(&self.name, judged.verdict);
        *self.judged.borrow_mut() = Some(judged.clone());
        // Nobody waits unless somebody asked with --wait.
        running.verdict.send_replace(Some(judged));
    }

    fn on_probation(&self, generation: u64) -> bool {
        self.probation.borrow().as_ref().is_some_and(|running| running.generation == generation)
    }
}

impl Running {
    fn judged(&self, server: &Server, verdict: &'static str, reason: Option<String>) -> Judged {
        Judged {
            generation: self.generation,
            verdict,
            reason,
            seconds: self.begun.elapsed().as_secs_f64(),
            sample: Sample::read(&server.handle.counters),
        }
    }
}

impl Control {
    /// Begins to watch a generation that was just switched to. Without probation it is permanent at
    /// once.
    pub(super) async fn begin_probation(self: &Rc<Self>, server: &Server, generation: u64) {
        server.end_probation();
        if server.rules.time.is_zero() {
            return server.make_permanent(generation).await;
        }
        let (verdict, _) = watch::channel(None);
        let begun = Instant::now();
        *server.probation.borrow_mut() = Some(Running { generation, begun, verdict });
        let (control, name) = (self.clone(), server.name.clone());
        tokio::task::spawn_local(async move { control.watch(&name, generation).await });
    }

    /// Waits for the verdict on a generation; `None` when it is on no probation.
    ///
    /// # Errors
    /// `ROLLEDBACK`, with the numbers that tipped it.
    pub(super) async fn verdict(&self, server: &Server, generation: u64) -> Result<Option<Judged>> {
        let receiver = {
            let running = server.probation.borrow();
            let running = running.as_ref().filter(|running| running.generation == generation);
            running.map(|running| running.verdict.subscribe())
        };
        let Some(mut receiver) = receiver else { return Ok(None) };
        let judged = match receiver.wait_for(Option::is_some).await {
            Ok(judged) => judged.clone(),
            Err(_) => None,
        };
        match judged {
            Some(judged) if judged.verdict == "rolled-back" => Err(rolled_back(server, &judged)),
            judged => Ok(judged),
        }
    }

    async fn watch(self: Rc<Self>, name: &str, generation: u64) {
        let Ok(server) = self.server(Some(name)) else { return };
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let handle = server.handle.clone();
        let tests = async || loop {
            if let Err(refused) = handle.self_test().await {
                return refused;
            }
            tokio::time::sleep(TEST).await;
        };
        let tests = tests();
        tokio::pin!(tests);
        loop {
            let refused = tokio::select! {
                refused = &mut tests => Some(refused.to_string()),
                _ = look.tick() => None,
            };
            if !server.on_probation(generation) {
                return;
            }
            let verdict = match refused {
                Some(reason) => Verdict::Failed(reason),
                None => judge(server),
            };
            match verdict {
                Verdict::Pending => {}
                Verdict::Proven => return self.settle(server, generation, "proven").await,
                Verdict::Unproven => {
                    return self.settle(server, generation, "unproven").await;
                }
                Verdict::Failed(reason) => return self.undo(server, generation, reason).await,
            }
        }
    }

    async fn settle(&self, server: &Server, generation: u64, verdict: &'static str) {
        let Some(running) = server.probation.borrow_mut().take() else { return };
        server.make_permanent(generation).await;
        let judged = running.judged(server, verdict, None);
        let Sample { calls, panics, failed, .. } = judged.sample;
        let server_name = server.name.as_str();
        tracing::info!(
            verb = "probation",
            server = server_name,
            generation,
            calls,
            panics,
            failed,
            "{verdict}"
        );
        server.conclude(&running, judged);
    }

    /// Takes a generation back. Another switch that is under way is waited for: it decides.
    async fn undo(self: &Rc<Self>, server: &Server, generation: u64, reason: String) {
        let Some(running) = server.probation.borrow_mut().take() else { return };
        let server_name = server.name.as_str();
        tracing::error!(verb = "probation", server = server_name, generation, "failed: {reason}");
        let options = Options {
            server: Some(server.name.clone()),
            if_active: Some(generation),
            ..Options::default()
        };
        let asked = Asked { verb: "rollback", asker: "probation", options: &options };
        let verdict = loop {
            match self.rollback(&asked).await {
                Ok(done) => {
                    tracing::warn!(verb = "rollback", server = server_name, "{}", done.line());
                    break "rolled-back";
                }
                Err(busy) if busy.code == Code::Busy => tokio::time::sleep(LOOK).await,
                Err(moved) if moved.code == Code::Moved => break "ended",
                Err(refused) => {
                    tracing::error!(verb = "rollback", server = server_name, "{refused}");
                    break "alarm";
                }
            }
        };
        let judged = running.judged(server, verdict, Some(reason));
        server.conclude(&running, judged);
    }
}

fn judge(server: &Server) -> Verdict {
    let running = server.probation.borrow();
    let Some(running) = running.as_ref() else { return Verdict::Pending };
    server.rules.judge(running.begun.elapsed(), &Sample::read(&server.handle.counters))
}

fn rolled_back(server: &Server, judged: &Judged) -> Error {
    let registry = server.registry.borrow();
    let generation = judged.generation;
    let left = registry.get(generation).map_or(format!("generation {generation}"), |g| g.title());
    Error::new(
        Code::RolledBack,
        format!("{left} was rolled back to {}", registry.active().title()),
        judged.reason.clone().unwrap_or_default(),
        "the places are in the host's log; correct the plugin and swap again",
    )
}
