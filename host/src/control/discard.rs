//! The way out: a generation is given up, by an admin or to make room for others.

use std::time::Duration;

use super::asked::Asked;
use super::loads::unmap;
use super::report::Discarded;
use super::swap::{expect_active, resolve};
use super::{Control, Server};
use crate::engine::Counters;
use crate::error::{Code, Error, Result};
use crate::loader::{Image, retained_images};

/// How often whoever waits for a drain or a switch to end looks.
const LOOK: Duration = Duration::from_millis(5);

impl Control {
    /// Gives a generation up: retires it, unmaps its image, and tells what became of the image.
    ///
    /// # Errors
    /// `BUSY`, also while something of the last switch is still to be converted; `MOVED`,
    /// `NOGENERATION`, `AMBIGUOUS`, `DISCARDED`, `ACTIVE`; `STUCK`.
    pub async fn discard(&self, asked: &Asked<'_>, target: &str) -> Result<Discarded> {
        let server = self.server(asked.options.server.as_deref())?;
        expect_active(server, asked)?;
        let number = resolve(server, target)?;
        server.registry.borrow().may_discard(number)?;
        let pass = self.gate.switch(asked.work(server, number.to_string()))?;
        server.is_not_needed(number)?;
        let image = server.registry.borrow_mut().discard(number)?;
        drop(pass);
        Ok(bury(server, number, image).await)
    }

    /// Gives up every image of a server whose engine has ended, so that no staged file stays
    /// behind.
    pub async fn close_down(&self, server: &Server) {
        let images = server.registry.borrow_mut().close_down();
        for image in images {
            unmap(Some(image)).await;
        }
    }

    /// Discards generations that are over the limit, oldest first.
    ///
    /// Others may switch meanwhile, and the engine may be on its way to any generation. So which one
    /// goes is decided in the same step in which nothing can reach it any more.
    pub(super) async fn make_room(&self, server: &Server) -> Vec<u64> {
        let mut discarded = Vec::new();
        while let Some(number) = server.over_the_limit() {
            if server.is_draining() {
                match server.drained().await {
                    Ok(()) => continue,
                    // The next swap makes room.
                    Err(_) => break,
                }
            }
            if self.gate.is_switching(&server.name) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let Ok(image) = server.registry.borrow_mut().discard(number) else { break };
            let gone = bury(server, number, image).await;
            tracing::info!(verb = "discard", server = server.name, "{}", gone.line());
            discarded.push(number);
        }
        discarded
    }

    pub(super) fn room_for_load(&self, server: &Server) -> Result<()> {
        self.room_for_retained(server)?;
        let (resident, most) = (server.registry.borrow().resident(), server.limits.max_resident);
        if resident < most {
            return Ok(());
        }
        let message = format!("server '{}' has no room for another generation", server.name);
        let detail = format!("{resident} are resident, max-resident is {most}");
        let hint = "`discard` one that is not needed; `swap` makes room by itself";
        Err(Error::new(Code::TooMany, message, detail, hint))
    }

    pub(super) fn room_for_retained(&self, server: &Server) -> Result<()> {
        let retained = retained_images();
        let most = server.limits.max_retained;
        if retained < most {
            return Ok(());
        }
        let message = "this host has no room for another image";
        let detail = format!(
            "{retained} images of earlier loads could not be unmapped, max-retained is {most}"
        );
        let hint = "restart the host, or raise max-retained; `list` tells why each stayed";
        Err(Error::new(Code::TooMany, message, detail, hint))
    }
}

impl Server {
    /// Whether something of the last switch is still to be converted: a drain may need the defaults
    /// and conversions of the generations it is between.
    fn is_draining(&self) -> bool {
        Counters::get(&self.handle.counters.draining) > 0
    }

    /// Refuses to give a generation up whose conversions may be called still.
    ///
    /// # Errors
    /// `BUSY` with what is left; `STUCK` when the engine does not go on with it.
    fn is_not_needed(&self, number: u64) -> Result<()> {
        let left = Counters::get(&self.handle.counters.draining);
        if left == 0 {
            return Ok(());
        }
        super::watchdog::not_stuck(self, "give a generation up")?;
        let title = self.registry.borrow().get(number).map(|generation| generation.title())?;
        Err(Error::new(
            Code::Busy,
            format!("cannot discard {title} of server '{}' yet", self.name),
            format!(
                "{left} entries and sessions are still to be converted, 0 must be left: that may \
                 call its defaults and conversions"
            ),
            "wait until `status` shows nothing more to convert (`draining` is 0), then discard it again",
        ))
    }

    /// Waits until nothing is left to be converted.
    ///
    /// # Errors
    /// `STUCK`: an engine that is stuck keeps its images.
    async fn drained(&self) -> Result<()> {
        while self.is_draining() {
            super::watchdog::not_stuck(self, "give a generation up")?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The generation that must go, if there are more than the limit allows.
    fn over_the_limit(&self) -> Option<u64> {
        let registry = self.registry.borrow();
        let over = registry.resident() > self.limits.max_resident;
        over.then(|| registry.expendable()).flatten()
    }
}

/// Unmaps the image of a generation that nothing can reach any more, and records what became of it.
async fn bury(server: &Server, number: u64, image: Option<Image>) -> Discarded {
    let retained = unmap(image).await;
    let mut registry = server.registry.borrow_mut();
    let title = registry.get(number).map_or_else(|_| number.to_string(), |gone| gone.title());
    registry.unmapped(number, retained.clone());
    Discarded::new(server, number, title, retained)
}
