//! A
use hotshell_plugin_api::prelude::*;
/// App
#[derive(Debug)]
pub struct App;
impl Plugin for App {
    type State = u64;
    type Session = ();
    fn init(_: &mut InitCtx<'_>) -> Result<u64, Refusal> {
        Ok(0)
    }
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        ctx.begin(unread.len());
        *ctx.state += 1;
        ctx.out.put(b"hi\n");
        Flow::Done(unread.len())
    }
}
export_plugin!(App, name = "counter");
