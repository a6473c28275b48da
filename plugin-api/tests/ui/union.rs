use hotshell_plugin_api::state;

#[state]
union Bits {
    whole: u64,
    parts: [u8; 8],
}

fn main() {}
