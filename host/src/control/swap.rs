//! The verbs that bring code in and switch to it: load, use, swap, rollback.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use super::asked::{Asked, PROBATION};
use super::gate::{LoadPass, SwitchPass};
use super::loads::{Job, unmap};
use super::probation::Expected;
use super::report::{Loaded, Swapped};
use super::{Control, Server};
use crate::engine::{Switch, Switched};
use crate::error::{Code, Error, Result};
use crate::generation::{Artifact, Callable};
use crate::migration::{Migration, Version};
use crate::options::Options;
use crate::registry::{Fresh, Registry};

impl Control {
    /// Loads an artifact as a new, available generation. Changes nothing for clients.
    ///
    /// # Errors
    /// `BUSY`, `TOOMANY`, the loader's refusals, `OTHERPLUGIN`, `SCHEMA`, `CANCELLED`.
    pub async fn load(&self, asked: &Asked<'_>, file: PathBuf) -> Result<Loaded> {
        let begun = Instant::now();
        let server = self.server(asked.options.server.as_deref())?;
        expect_active(server, asked)?;
        let pass = self.gate.load(asked.work(server, file.display().to_string()))?;
        self.room_for_load(server)?;
        let (fresh, migration) = self.load_fresh(server, asked, &pass, file).await?;
        if let Err(cancelled) = pass.go_on() {
            unmap(fresh.image).await;
            return Err(cancelled);
        }
        let number = server.registry.borrow_mut().insert(fresh);
        server.remember_numbers().await;
        let registry = server.registry.borrow();
        Ok(Loaded::new(server, registry.get(number)?, &migration, begun.elapsed()))
    }

    /// Loads an artifact and switches to it; or, dry, only says what would happen.
    ///
    /// # Errors
    /// Those of [`Control::load`] and of [`Control::use_generation`]; nothing changed then.
    pub async fn swap(self: &Rc<Self>, asked: &Asked<'_>, file: PathBuf) -> Result<Swapped> {
        let begun = Instant::now();
        let server = self.server(asked.options.server.as_deref())?;
        expect_active(server, asked)?;
        let pass = self.gate.load(asked.work(server, file.display().to_string()))?;
        self.room_for_retained(server)?;
        let (fresh, migration) = self.load_fresh(server, asked, &pass, file).await?;
        let switched = self.switch_to_fresh(server, asked, pass, (&fresh, &migration)).await;
        let (switched, pass) = match switched {
            Ok(switched) if !asked.options.dry_run => switched,
            Ok((would, _)) => {
                let (artifact, elapsed) = (&fresh.artifact, begun.elapsed());
                let plan = Swapped::plan(server, None, artifact, migration, &would, elapsed);
                unmap(fresh.image).await;
                return Ok(plan);
            }
            Err(refused) => {
                unmap(fresh.image).await;
                return Err(refused);
            }
        };
        let (number, artifact) = (fresh.callable.generation, fresh.artifact.clone());
        {
            let mut registry = server.registry.borrow_mut();
            let inserted = registry.insert(fresh);
            assert_eq!(inserted, number, "the gate lets no other load take the number");
            registry.activate(number);
        }
        // Only then may others switch: a generation that they have left must not go on probation.
        let verdict = self.begin_probation(server, number).await;
        drop(pass);
        server.remember_numbers().await;
        let elapsed = begun.elapsed();
        let mut done = Swapped::done(server, number, &artifact, &migration, &switched, elapsed);
        done.discarded = self.make_room(server).await;
        with_verdict(server, asked, done, verdict).await
    }

    /// Switches to an available generation. The active one is no error: nothing is done then.
    ///
    /// # Errors
    /// `BUSY`, `MOVED`, `NOGENERATION`, `AMBIGUOUS`, `DISCARDED`, `OTHERPLUGIN`, and the engine's
    /// refusals; nothing changed then.
    pub async fn use_generation(
        self: &Rc<Self>,
        asked: &Asked<'_>,
        target: &str,
    ) -> Result<Swapped> {
        let begun = Instant::now();
        let server = self.server(asked.options.server.as_deref())?;
        expect_active(server, asked)?;
        let number = resolve(server, target)?;
        let (callable, artifact) = {
            let registry = server.registry.borrow();
            let callable = registry.callable(number)?;
            let artifact = registry.get(number)?.artifact.clone();
            if registry.active().number != number {
                same_plugin(&registry, &artifact, asked.options)?;
            }
            (callable, artifact)
        };
        let migration = migration(server, &callable)?;
        if server.registry.borrow().active().number == number {
            let (nothing, elapsed) =
                (Switched { from: number, ..Switched::default() }, begun.elapsed());
            let done = Swapped::done(server, number, &artifact, &migration, &nothing, elapsed);
            return with_verdict(server, asked, done, server.expected_verdict(number)).await;
        }
        allowed(&migration, asked.options)?;
        let pass = self.gate.switch(asked.work(server, number.to_string()))?;
        let switched = switch(server, asked, callable, &migration).await?;
        if asked.options.dry_run {
            let elapsed = begun.elapsed();
            return Ok(Swapped::plan(
                server,
                Some(number),
                &artifact,
                migration,
                &switched,
                elapsed,
            ));
        }
        server.registry.borrow_mut().activate(number);
        let verdict = self.begin_probation(server, number).await;
        drop(pass);
        let elapsed = begun.elapsed();
        let done = Swapped::done(server, number, &artifact, &migration, &switched, elapsed);
        with_verdict(server, asked, done, verdict).await
    }

    /// Switches backwards along the use history. Never waits for a load: cancels it.
    ///
    /// # Errors
    /// `NOROLLBACK`, `BUSY`, `MOVED`, and the engine's refusals; nothing changed then.
    pub async fn rollback(&self, asked: &Asked<'_>) -> Result<Swapped> {
        let begun = Instant::now();
        let server = self.server(asked.options.server.as_deref())?;
        expect_active(server, asked)?;
        let (number, callable, artifact) = {
            let registry = server.registry.borrow();
            let number = registry.rollback_target().ok_or_else(|| registry.no_rollback())?;
            (number, registry.callable(number)?, registry.get(number)?.artifact.clone())
        };
        let migration = migration(server, &callable)?;
        let work = asked.work(server, String::new());
        let _pass = match asked.options.dry_run {
            true => self.gate.switch(work)?,
            false => self.gate.roll_back(work)?,
        };
        let switched = switch(server, asked, callable, &migration).await?;
        let elapsed = begun.elapsed();
        if asked.options.dry_run {
            return Ok(Swapped::plan(
                server,
                Some(number),
                &artifact,
                migration,
                &switched,
                elapsed,
            ));
        }
        server.registry.borrow_mut().roll_back();
        server.end_probation();
        server.remember_rollback(number).await;
        Ok(Swapped::done(server, number, &artifact, &migration, &switched, elapsed))
    }

    async fn load_fresh(
        &self,
        server: &Server,
        asked: &Asked<'_>,
        pass: &LoadPass,
        file: PathBuf,
    ) -> Result<(Fresh, Migration)> {
        let number = server.registry.borrow().next_number();
        let (config, cancel) = (server.config.clone(), pass.cancel.clone());
        let begun = Instant::now();
        let fresh = self.loads.load(Job { file, generation: number, config, cancel }).await;
        // A load that was cancelled says so, whatever it came to by itself.
        let fresh = pass.go_on().and(fresh);
        server.events.loaded(&server.name, &fresh, begun.elapsed());
        let fresh = fresh?;
        let fit = same_plugin(&server.registry.borrow(), &fresh.artifact, asked.options)
            .and_then(|()| migration(server, &fresh.callable))
            .and_then(|way| way.keeps_most(asked.options.replace_plugin).map(|()| way));
        let fit = match fit {
            Ok(way) if !asked.options.dry_run => self.keep_copy(server, &fresh).await.map(|()| way),
            fit => fit,
        };
        match fit {
            Ok(migration) => Ok((fresh, migration)),
            Err(refused) => {
                unmap(fresh.image).await;
                Err(refused)
            }
        }
    }

    async fn switch_to_fresh(
        &self,
        server: &Server,
        asked: &Asked<'_>,
        pass: LoadPass,
        (fresh, migration): (&Fresh, &Migration),
    ) -> Result<(Switched, SwitchPass)> {
        allowed(migration, asked.options)?;
        let pass = pass.into_switch()?;
        let switched = switch(server, asked, fresh.callable.clone(), migration).await?;
        Ok((switched, pass))
    }
}

async fn switch(
    server: &Server,
    asked: &Asked<'_>,
    to: Callable,
    migration: &Migration,
) -> Result<Switched> {
    expect_active(server, asked)?;
    super::watchdog::not_stuck(server, "switch")?;
    let (plan, options) = (migration.plan.clone(), asked.options);
    // A version that broke its rules is worse than the stop.
    let allow_stop = options.allow_stop || asked.asker == PROBATION;
    let switch = Switch { to, plan, allow_stop, dry_run: options.dry_run };
    let done = server.handle.switch(switch).await;
    if !options.dry_run {
        server.events.switched(&server.name, asked.verb, migration.word(), &done);
    }
    done
}

/// Waits for probation's verdict, if that was asked for and there is to be one.
async fn with_verdict(
    server: &Server,
    asked: &Asked<'_>,
    mut done: Swapped,
    verdict: Option<Expected>,
) -> Result<Swapped> {
    if let Some(verdict) = verdict.filter(|_| asked.options.wait) {
        done.probation = verdict.wait(server).await?;
    }
    Ok(done)
}

/// Whether the options allow the plan; a dry run shows also what they do not allow.
fn allowed(migration: &Migration, options: &Options) -> Result<()> {
    if options.dry_run { Ok(()) } else { migration.allowed(options) }
}

/// The way from what serves to another generation.
///
/// # Errors
/// `SCHEMA` when there is none.
fn migration(server: &Server, to: &Callable) -> Result<Migration> {
    let from = server.serving();
    if let Some(known) = server.ways.borrow().find(&from.shape, &to.shape) {
        return Ok(known);
    }
    let title = format!("{} {}", to.plugin, to.version);
    let to = Version { title, plugin: to.plugin.to_string(), shape: to.shape.clone() };
    let migration = Migration::between(&from, &to)?;
    server.ways.borrow_mut().keep(from.shape, to.shape, migration.clone());
    Ok(migration)
}

/// The number behind `GEN` or `NAME@VERSION`.
pub(super) fn resolve(server: &Server, target: &str) -> Result<u64> {
    let registry = server.registry.borrow();
    if !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = target.parse().map_err(|_| registry.unknown(target, false))?;
        return registry.get(number).map(|g| g.number);
    }
    let Some((name, version)) = target.split_once('@') else {
        let message = format!("'{target}' names no generation");
        let detail = "a generation is named by its number or as NAME@VERSION";
        return Err(Error::new(Code::Usage, message, detail, "`list` shows both"));
    };
    let fits = |a: &Artifact| a.plugin == name && a.version == version;
    let all: Vec<_> = registry.all().iter().filter(|g| fits(&g.artifact)).collect();
    let warm: Vec<_> = all.iter().filter(|g| g.temperature() == "warm").collect();
    match (warm.as_slice(), all.last()) {
        ([one], _) => Ok(one.number),
        ([], Some(gone)) => Ok(gone.number),
        ([], None) => {
            let message = format!("server '{}' has no generation of {target}", server.name);
            let mut there: Vec<String> = registry.all().iter().map(|g| g.title()).collect();
            there.dedup();
            let detail = format!("it has {}", there.join(", "));
            Err(Error::new(Code::NoGeneration, message, detail, "`list` shows all of them"))
        }
        (several, _) => {
            let titles: Vec<String> = several.iter().map(|g| g.number.to_string()).collect();
            let detail = format!("generations {} are {target}", titles.join(", "));
            let message = format!("'{target}' is ambiguous");
            Err(Error::new(Code::Ambiguous, message, detail, "name one by its number"))
        }
    }
}

pub(super) fn expect_active(server: &Server, asked: &Asked<'_>) -> Result<()> {
    let Some(expected) = asked.options.if_active else { return Ok(()) };
    let registry = server.registry.borrow();
    let active = registry.active();
    if active.number == expected {
        return Ok(());
    }
    let message = format!("generation {expected} of server '{}' is not active", server.name);
    let detail = format!("{} is", active.title());
    Err(Error::new(Code::Moved, message, detail, "look at `list` and decide again"))
}

fn same_plugin(registry: &Registry, artifact: &Artifact, options: &Options) -> Result<()> {
    let active = registry.active();
    if artifact.plugin == active.artifact.plugin || options.replace_plugin {
        return Ok(());
    }
    let message = format!("'{}' is another plugin", artifact.path.display());
    let (name, serving) = (&artifact.plugin, &active.artifact.plugin);
    let detail = format!("it holds plugin '{name}', and '{serving}' serves");
    let hint = "check the path; --replace-plugin if another plugin is what you want";
    Err(Error::new(Code::OtherPlugin, message, detail, hint))
}
