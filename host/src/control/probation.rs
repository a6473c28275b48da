//! Probation at work: watches a generation after its `use`, and takes it back when it breaks a rule.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::asked::{Asked, PROBATION};
use super::{Control, Server};
use crate::engine::Counters;
use crate::error::{Code, Error, Result};
use crate::options::Options;
use crate::probation::{Broken, Sample, Verdict};

/// How often the counters are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A generation on probation.
#[derive(Debug)]
pub struct Running {
    generation: u64,
    begun: Instant,
    verdict: watch::Sender<Option<Judged>>,
    tests: Tests,
}

/// Self-tests on the live state since the generation was switched to.
#[derive(Debug, Default)]
struct Tests {
    asked: Cell<u64>,
    failed: Cell<u64>,
    /// What the last one that failed said.
    refusal: RefCell<String>,
}

/// How a probation ended.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Judged {
    pub generation: u64,
    /// `proven`, `unproven`, `rolled-back`, `alarm` (it failed and there is no way back), or `ended`
    /// (another switch came first).
    pub verdict: &'static str,
    /// The rule that it broke: `panics`, `failed`, `slowdown`, `self-test`, `conversions`.
    pub rule: Option<&'static str>,
    /// The numbers that tipped it.
    pub reason: Option<String>,
    pub seconds: f64,
    #[serde(flatten)]
    pub sample: Sample,
}

/// A verdict that is to come. Taken when the probation begins, since that may be over before its
/// `swap` has anything to answer.
#[derive(Debug)]
pub(super) struct Expected(watch::Receiver<Option<Judged>>);

impl Expected {
    /// Waits for it.
    ///
    /// # Errors
    /// `ROLLEDBACK`, with the numbers that tipped it.
    pub(super) async fn wait(mut self, server: &Server) -> Result<Option<Judged>> {
        let judged = self.0.wait_for(Option::is_some).await.ok().and_then(|judged| judged.clone());
        match judged {
            Some(judged) if judged.verdict == "rolled-back" => Err(rolled_back(server, &judged)),
            judged => Ok(judged),
        }
    }
}

/// What `status` and `list` say of a probation that runs.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Watched {
    pub generation: u64,
    pub seconds: f64,
    pub seconds_left: f64,
    /// The time is over and calls were too few to tell: it goes on to the longest time.
    pub extended: bool,
    #[serde(flatten)]
    pub sample: Sample,
}

impl Server {
    /// The probation that runs now.
    pub fn watched(&self) -> Option<Watched> {
        let running = self.probation.borrow();
        let running = running.as_ref()?;
        let elapsed = running.begun.elapsed();
        let extended = elapsed >= self.rules.time;
        let end = if extended { self.rules.max_time } else { self.rules.time };
        Some(Watched {
            generation: running.generation,
            seconds: elapsed.as_secs_f64(),
            seconds_left: end.saturating_sub(elapsed).as_secs_f64(),
            extended,
            sample: running.sample(self),
        })
    }

    /// The verdict on a generation, if it is on probation now.
    pub(super) fn expected_verdict(&self, generation: u64) -> Option<Expected> {
        let running = self.probation.borrow();
        let running = running.as_ref().filter(|running| running.generation == generation);
        running.map(|running| Expected(running.verdict.subscribe()))
    }

    /// Ends the probation that runs, if any: something else has happened to its generation.
    pub(super) fn end_probation(&self) {
        if let Some(running) = self.probation.borrow_mut().take() {
            let judged = running.judged(running.sample(self), "ended", None);
            self.conclude(&running, judged);
        }
    }

    fn conclude(&self, running: &Running, judged: Judged) {
        self.events.judged(&self.name, judged.verdict, judged.rule);
        *self.judged.borrow_mut() = Some(judged.clone());
        // Nobody waits unless somebody asked with --wait.
        running.verdict.send_replace(Some(judged));
    }

    fn on_probation(&self, generation: u64) -> bool {
        self.probation.borrow().as_ref().is_some_and(|running| running.generation == generation)
    }
}

impl Running {
    fn judged(&self, sample: Sample, verdict: &'static str, broken: Option<Broken>) -> Judged {
        let (rule, reason) = broken.map(|Broken { rule, reason }| (rule, reason)).unzip();
        Judged {
            generation: self.generation,
            verdict,
            rule,
            reason,
            seconds: self.begun.elapsed().as_secs_f64(),
            sample,
        }
    }

    fn sample(&self, server: &Server) -> Sample {
        Sample {
            self_tests: self.tests.asked.get(),
            self_tests_failed: self.tests.failed.get(),
            ..sample(&server.handle.counters)
        }
    }
}

impl Tests {
    fn count(&self, tested: Result<()>) {
        self.asked.set(self.asked.get() + 1);
        if let Err(refused) = tested {
            self.failed.set(self.failed.get() + 1);
            *self.refusal.borrow_mut() = refused.to_string();
        }
    }
}

impl Control {
    /// Begins to watch a generation that was just switched to; answers how to hear the verdict. Without
    /// probation it is permanent at once.
    pub(super) async fn begin_probation(
        self: &Rc<Self>,
        server: &Server,
        generation: u64,
    ) -> Option<Expected> {
        server.end_probation();
        if server.rules.time.is_zero() {
            server.make_permanent(generation).await;
            return None;
        }
        let (verdict, hear) = watch::channel(None);
        let begun = Instant::now();
        *server.probation.borrow_mut() =
            Some(Running { generation, begun, verdict, tests: Tests::default() });
        let (control, name) = (self.clone(), server.name.clone());
        tokio::task::spawn_local(async move { control.watch(&name, generation).await });
        Some(Expected(hear))
    }

    async fn watch(self: Rc<Self>, name: &str, generation: u64) {
        let Ok(server) = self.server(Some(name)) else { return };
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let tests = test_again_and_again(server, generation);
        tokio::pin!(tests);
        loop {
            tokio::select! {
                () = &mut tests => return,
                _ = look.tick() => {}
                () = server.handle.counters.alarm.notified() => {}
            }
            if !server.on_probation(generation) {
                return;
            }
            server.look_for_waits();
            match judge(server) {
                Verdict::Pending => {}
                Verdict::Proven => return self.settle(server, generation, "proven").await,
                Verdict::Unproven => {
                    return self.settle(server, generation, "unproven").await;
                }
                Verdict::Failed(broken) => return self.undo(server, generation, broken).await,
            }
        }
    }

    async fn settle(&self, server: &Server, generation: u64, verdict: &'static str) {
        let Some(running) = server.probation.borrow_mut().take() else { return };
        let judged = running.judged(running.sample(server), verdict, None);
        server.make_permanent(generation).await;
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
    async fn undo(self: &Rc<Self>, server: &Server, generation: u64, broken: Broken) {
        let Some(running) = server.probation.borrow_mut().take() else { return };
        // The numbers of the generation that is left: the switch begins to count anew.
        let sample = running.sample(server);
        let server_name = server.name.as_str();
        tracing::error!(
            verb = "probation",
            server = server_name,
            generation,
            "failed: {}",
            broken.reason
        );
        let options = Options {
            server: Some(server.name.clone()),
            if_active: Some(generation),
            ..Options::default()
        };
        let asked = Asked { verb: "rollback", asker: PROBATION, options: &options };
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
        let judged = running.judged(sample, verdict, Some(broken));
        server.conclude(&running, judged);
    }
}

/// Lets the plugin look at the live state while the generation is on probation.
async fn test_again_and_again(server: &Server, generation: u64) {
    let every = server.rules.self_test_every;
    if every.is_zero() {
        return std::future::pending().await;
    }
    loop {
        let tested = server.handle.self_test().await;
        match server.probation.borrow().as_ref() {
            Some(running) if running.generation == generation => running.tests.count(tested),
            _ => return,
        }
        tokio::time::sleep(every).await;
    }
}

fn judge(server: &Server) -> Verdict {
    let running = server.probation.borrow();
    let Some(running) = running.as_ref() else { return Verdict::Pending };
    match server.rules.judge(running.begun.elapsed(), &running.sample(server)) {
        Verdict::Failed(Broken { rule: "self-test", reason }) => {
            let reason = format!("{reason}: {}", running.tests.refusal.borrow());
            Verdict::Failed(Broken { rule: "self-test", reason })
        }
        verdict => verdict,
    }
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

/// Reads the published counters. Self-tests are counted by whoever asks for them.
fn sample(counters: &Counters) -> Sample {
    let Counters { now, before, .. } = counters;
    Sample {
        calls: Counters::get(&now.calls),
        panics: Counters::get(&now.panics),
        failed: Counters::get(&now.failed),
        calls_unwatched: Counters::get(&counters.calls_unwatched),
        cpu_ns: counters.cpu_now_ns(),
        calls_before: Counters::get(&before.calls),
        cpu_before_ns: Counters::get(&before.cpu_ns),
        waits: Counters::get(&now.waits),
        waited_ns: Counters::get(&now.waited_ns),
        waits_before: Counters::get(&before.waits),
        waited_before_ns: Counters::get(&before.waited_ns),
        conversions_panicked: Counters::get(&now.conversions_panicked),
        self_tests: 0,
        self_tests_failed: 0,
    }
}
