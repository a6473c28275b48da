//! Carries a verb out, and logs what came of it.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::Request;
use crate::answer::Answer;
use crate::control::Control;
use crate::error::{Code, Error, Result};

/// Does what was asked and answers. The one way in: for the admin socket, the watcher and
/// signals.
///
/// The work runs as a task of its own: an asker that goes away cancels nothing.
///
/// # Errors
/// Whatever the verb refuses; `TIMEOUT` when the request's own time limit passes first, and
/// then the work goes on.
pub async fn execute(control: &Rc<Control>, request: Request) -> Result<Answer> {
    let (limit, verb) = (request.options.timeout, request.verb.name);
    let (answer, hear) = oneshot::channel();
    tokio::task::spawn_local(run(Rc::clone(control), request, answer));
    let gone = |_| {
        let hint = "this is a defect of hotshell; look at the host's log and report it";
        Error::new(Code::Internal, format!("`{verb}` ended without an answer"), "", hint)
    };
    let Some(limit) = limit else { return hear.await.map_err(gone)? };
    match tokio::time::timeout(limit, hear).await {
        Ok(heard) => heard.map_err(gone)?,
        Err(_) => Err(Error::new(
            Code::Timeout,
            format!("`{verb}` is not done after {limit:?}"),
            "it goes on in the host, its outcome is not known yet",
            "`status` shows whether it is still under way, `list` what became of it",
        )),
    }
}

async fn run(control: Rc<Control>, request: Request, answer: oneshot::Sender<Result<Answer>>) {
    let (verb, asker) = (request.verb, request.asker.clone());
    let changes = verb.changes && !request.options.dry_run;
    let server = control.server(request.options.server.as_deref()).ok();
    let server = server.filter(|_| verb.is_about_a_server()).map(|server| server.name.clone());
    let outcome = (verb.run)(control, request).await;
    let (verb, server) = (verb.name, server.as_deref());
    match &outcome {
        Ok(done) if changes => tracing::info!(verb, server, by = asker, "{}", done.first_line()),
        Ok(_) => tracing::debug!(verb, server, by = asker, "answered"),
        Err(error) if changes => {
            tracing::warn!(verb, server, by = asker, code = error.code.text(), "{error}");
        }
        Err(error) => tracing::debug!(verb, server, by = asker, "{error}"),
    }
    // Nobody listens any more when the asker went away or its time limit passed.
    let _ = answer.send(outcome);
}
