//! The verbs of the table: each reads its request, asks the control thread, and words the answer.

use std::rc::Rc;

use serde_json::json;

use super::{Answering, Request};
use crate::answer::{Answer, Text};
use crate::check::Verdict;
use crate::control::watchdog::not_stuck;
use crate::control::{Asked, Control, Server, Setting};
use crate::error::{Code, Error};
use crate::options::Options;
use crate::render;

/// Makes a verb of the table out of an async function.
macro_rules! verb {
    ($(#[doc = $doc:literal] fn $name:ident($control:ident, $request:ident) $body:block)*) => {$(
        #[doc = $doc]
        pub fn $name($control: Rc<Control>, $request: Request) -> Answering {
            Box::pin(async move { $body })
        }
    )*};
}

verb! {
    #[doc = "`swap FILE`"]
    fn swap(control, request) {
        let file = request.path(0).ok_or_else(missing)?;
        let done = control.swap(&request.asked(), file).await?;
        Ok(Answer::new(render::swapped(&done), &done))
    }

    #[doc = "`reload [FILE]`"]
    fn reload(control, request) {
        let own = |server: &Server| server.registry.borrow().active().artifact.path.clone();
        let file = match request.path(0) {
            Some(file) => file,
            None => own(control.server(request.options.server.as_deref())?),
        };
        let done = control.swap(&request.asked(), file).await?;
        Ok(Answer::new(render::swapped(&done), &done))
    }

    #[doc = "`load FILE`"]
    fn load(control, request) {
        let file = request.path(0).ok_or_else(missing)?;
        let done = control.load(&request.asked(), file).await?;
        Ok(Answer::new(Text::Line(done.line()), &done))
    }

    #[doc = "`use GEN|NAME@VERSION`"]
    fn use_generation(control, request) {
        let target = request.text(0).ok_or_else(missing)?;
        let done = control.use_generation(&request.asked(), &target).await?;
        Ok(Answer::new(render::swapped(&done), &done))
    }

    #[doc = "`rollback`"]
    fn rollback(control, request) {
        let done = control.rollback(&request.asked()).await?;
        Ok(Answer::new(render::swapped(&done), &done))
    }

    #[doc = "`discard GEN|NAME@VERSION`"]
    fn discard(control, request) {
        let target = request.text(0).ok_or_else(missing)?;
        let done = control.discard(&request.asked(), &target).await?;
        Ok(Answer::new(Text::Line(done.line()), &done))
    }

    #[doc = "`list`"]
    fn list(control, request) {
        let rows = control.list(request.options.server.as_deref())?;
        Ok(Answer::new(Text::Lines(render::list(&rows)), &rows))
    }

    #[doc = "`status`"]
    fn status(control, request) {
        if let Some(starting) = control.starting() {
            return Ok(Answer::new(Text::Lines(starting.lines()), &starting));
        }
        let status = control.status(request.options.server.as_deref())?;
        Ok(Answer::new(Text::Lines(render::status(&status)), &status))
    }

    #[doc = "`check FILE [NEW]`"]
    fn check(control, request) {
        let file = request.path(0).ok_or_else(missing)?;
        let Options { server, .. } = &request.options;
        let active = match (server, control.servers()) {
            (None, [_, _, ..]) => None,
            (name, _) => Some(control.server(name.as_deref())?),
        };
        let checked = control.check(file, active).await?;
        let verdict = match (request.path(1), active) {
            (Some(new), _) => {
                let new = control.check(new, active).await?;
                Verdict::against(&new, &checked.version(), &request.options)
            }
            (None, Some(server)) if server.serving().plugin == checked.artifact.plugin => {
                Verdict::against(&checked, &server.serving(), &request.options)
            }
            (None, _) => Verdict::alone(&checked),
        };
        let verdict = verdict.accepted()?;
        Ok(Answer::new(Text::Lines(verdict.lines()), &verdict))
    }

    #[doc = "`command ARG...`"]
    fn command(control, request) {
        let server = control.server(request.options.server.as_deref())?;
        not_stuck(server, "run a command")?;
        let answer = server.handle.plugin_command(request.args).await?;
        let json = json!({ "answer": String::from_utf8_lossy(&answer) });
        Ok(Answer::new(Text::Raw(answer), &json))
    }

    #[doc = "`shutdown`"]
    fn shutdown(control, _request) {
        control.ask_stop();
        Ok(Answer::new(Text::Line("stopping".to_owned()), &json!({ "stopping": true })))
    }

    #[doc = "`ping`"]
    fn ping(control, request) {
        control.has_started()?;
        if request.options.server.is_some() {
            control.server(request.options.server.as_deref())?;
        }
        Ok(Answer::new(Text::Line("PONG".to_owned()), &json!({ "pong": true })))
    }

    #[doc = "`snapshot`"]
    fn snapshot(control, request) {
        let server = control.server(request.options.server.as_deref())?;
        not_stuck(server, "take a snapshot")?;
        let done = server.handle.snapshot().await?;
        Ok(Answer::new(Text::Line(done.line()), &done))
    }

    #[doc = "`set [KEY [VALUE]]`"]
    fn set(control, request) {
        let server = control.server(request.options.server.as_deref())?;
        let (key, text) = (request.text(0), request.text(1));
        if key.is_some() {
            not_stuck(server, "set anything")?;
        }
        let settings = control.set(server, key.as_deref(), text.as_deref()).await?;
        let lines = settings.iter().map(Setting::line).collect();
        Ok(Answer::new(Text::Lines(lines), &settings))
    }

    #[doc = "`help [VERB]`"]
    fn help(_control, request) {
        let lines = super::help::help(request.text(0).as_deref())?;
        let json = json!({ "help": lines });
        Ok(Answer::new(Text::Lines(lines), &json))
    }
}

fn missing() -> Error {
    Error::new(Code::Internal, "an argument is missing", "", "report this: arity is checked before")
}

impl Request {
    fn asked(&self) -> Asked<'_> {
        Asked { verb: self.verb.name, asker: &self.asker, options: &self.options }
    }
}
