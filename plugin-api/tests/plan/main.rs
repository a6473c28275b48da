//! Goal: a plan says exactly what must change between two versions, or names what cannot.
//! Method: two versions of the same types, as `#[state]` makes them, in modules `v1` and `v2`.

use hotshell_plugin_api::collections::String;
use hotshell_plugin_api::migrate::lineage::Lineage;
use hotshell_plugin_api::migrate::plan::{How, Number, Plan, PlanKind, Refused, Side, Why};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state::StateType;

fn plan<Old: StateType, New: StateType>() -> Result<Plan, Refused> {
    let (old, new) = (Schema::of::<Old, ()>(), Schema::of::<New, ()>());
    let (old_lineage, new_lineage) = (Lineage::of_schema(&old), Lineage::of_schema(&new));
    Plan::between(
        Side { schema: &old, lineage: &old_lineage },
        Side { schema: &new, lineage: &new_lineage },
    )
}

/// A wider count, another order, one field less.
mod widths {
    pub mod v1 {
        #[hotshell_plugin_api::state]
        pub struct Book {
            pub visits: u32,
            pub gone: u8,
            pub title: hotshell_plugin_api::collections::String,
        }
    }
    pub mod v2 {
        #[hotshell_plugin_api::state]
        pub struct Book {
            pub title: hotshell_plugin_api::collections::String,
            pub visits: u64,
        }
    }
}

#[test]
fn the_same_shape_is_adopted() {
    let plan = plan::<widths::v1::Book, widths::v1::Book>().unwrap();
    assert_eq!(plan.kind, PlanKind::Adopt);
    assert!(plan.keeps_root() && plan.keeps_sessions());
}

#[test]
fn fields_move_widen_and_are_left_behind_by_name() {
    let plan = plan::<widths::v1::Book, widths::v2::Book>().unwrap();
    assert_eq!(plan.kind, PlanKind::ByName);
    let root = plan.pair(plan.root);
    let How::Struct(fields) = &root.how else { panic!("{:?}", root.how) };
    let moves: Vec<_> = fields.moves.iter().map(|m| (&*m.new_name, m.from, m.to)).collect();
    assert_eq!(moves, [("title", 8, 0), ("visits", 0, size_of::<String>() as u32)]);
    assert_eq!(plan.pair(fields.moves[0].pair).how, How::Same);
    let widened = How::Number { from: Number::Unsigned(4), to: Number::Unsigned(8) };
    assert_eq!(plan.pair(fields.moves[1].pair).how, widened);
    assert_eq!(
        fields.removed.iter().map(|r| (&*r.name, r.from)).collect::<Vec<_>>(),
        [("gone", 4)]
    );
    assert!(root.fits && root.leaves_rest);
}

#[test]
fn a_new_field_without_a_default_is_refused_by_its_path() {
    let refused = plan::<widths::v2::Book, widths::v1::Book>().unwrap_err();
    assert_eq!((&*refused.path, refused.why), ("state.gone", Why::NoDefault));
    assert_eq!((&*refused.old, &*refused.new), ("no such field", "u8"));
}
