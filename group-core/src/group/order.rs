//! The order in which a group would start and stop, without starting it.

use std::fmt;
use std::fmt::Write as _;

use crate::group::assemble::Assembly;
use crate::lifecycle::interface::Id;

/// In which order services start and stop, from [`Group::order`](crate::Group::order).
///
/// Displayed, it is the waves of start and of stop: services of one wave go together.
///
/// ```
/// use group::{Group, Schedule, Shutdown};
///
/// # async fn polite(shutdown: Shutdown) { shutdown.requested().await }
/// let order = Group::new()
///     .add_fn("database", polite)
///     .add_fn("cache", polite)
///     .add_fn("api", polite)
///     .configure("api", |spec| spec.after_named("database").after_named("cache"))
///     .schedule(Schedule::Graph)
///     .order()
///     .unwrap();
/// assert_eq!(order.to_string(), "start: database, cache -> api\nstop: api -> cache, database");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    names: Vec<String>,
    starts: Vec<Vec<Id>>,
    stops: Vec<Vec<Id>>,
    /// What comes after what, and whether it needs it.
    edges: Vec<(Id, Id, bool)>,
}

impl Order {
    pub(crate) fn of(Assembly { plan, members, edges, .. }: &Assembly) -> Self {
        let services = members.len();
        let mut above = vec![0; services];
        for id in (0..services).rev() {
            let longest = plan.needed_by(id).map(|holder| above[holder.id] + 1).max();
            above[id] = longest.unwrap_or(0);
        }
        let mut stops = waves((0..services).map(|id| above[id]));
        for wave in &mut stops {
            wave.reverse();
        }
        let mut edges: Vec<_> = edges.iter().map(|edge| (edge.from, edge.to, edge.required)).collect();
        edges.sort_unstable();
        edges.dedup();
        Self {
            names: members.iter().map(|member| member.spec.get_name().to_owned()).collect(),
            starts: waves((0..services).map(|id| plan.behind(id))),
            stops,
            edges,
        }
    }

    /// The waves of start: each is built when the one before it is ready.
    #[must_use]
    pub fn starts(&self) -> Vec<Vec<&str>> {
        self.named(&self.starts)
    }

    /// The waves of stop: each is stopped when the one before it is gone.
    #[must_use]
    pub fn stops(&self) -> Vec<Vec<&str>> {
        self.named(&self.stops)
    }

    fn named(&self, waves: &[Vec<Id>]) -> Vec<Vec<&str>> {
        waves.iter().map(|wave| wave.iter().map(|&id| self.names[id].as_str()).collect()).collect()
    }

    /// The graph of what comes after what, for Graphviz: the same group always gives the same text.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph group {\n".to_owned();
        for name in &self.names {
            let _ = writeln!(dot, "    \"{name}\";");
        }
        for &(from, to, required) in &self.edges {
            let style = if required { "" } else { " [style=dashed]" };
            let _ = writeln!(dot, "    \"{}\" -> \"{}\"{style};", self.names[from], self.names[to]);
        }
        dot.push_str("}\n");
        dot
    }
}

/// Services by the wave that each is in.
fn waves(numbers: impl Iterator<Item = usize>) -> Vec<Vec<Id>> {
    let mut waves: Vec<Vec<Id>> = Vec::new();
    for (id, number) in numbers.enumerate() {
        if waves.len() <= number {
            waves.resize(number + 1, Vec::new());
        }
        waves[number].push(id);
    }
    waves
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |waves: Vec<Vec<&str>>| waves.iter().map(|wave| wave.join(", ")).collect::<Vec<_>>().join(" -> ");
        write!(f, "start: {}\nstop: {}", line(self.starts()), line(self.stops()))
    }
}
