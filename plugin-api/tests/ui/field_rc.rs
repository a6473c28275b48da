use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    shared: std::rc::Rc<u64>,
}

fn main() {}
