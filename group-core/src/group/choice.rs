//! Which services of a program run here: the command line may choose some of them.

use crate::base::error::BoxError;
use crate::base::text::did_you_mean;
use crate::group::declaration::{Declaration, Declared};
use crate::spec::edge::After;

/// The mistake of a choice of nothing.
const NOTHING_LEFT: &str = "`--without` leaves no service to run";

impl Declaration {
    /// Declares that services which serve gRPC run in other processes, at addresses that are found later.
    #[cfg(feature = "grpc")]
    pub(crate) fn call_elsewhere(&mut self, runs_elsewhere: impl Fn(&str) -> bool) {
        /// A name that is reserved for such uses.
        const SOMEWHERE: &str = "http://somewhere.invalid";

        for Declared { spec, .. } in &mut self.services {
            if spec.details().serves_grpc && runs_elsewhere(spec.get_name()) {
                spec.details_mut().remote = Some(SOMEWHERE.into());
            }
        }
    }

    /// Leaves out the services that are not chosen. Another program may run them: so their settings are no mistakes.
    pub(super) fn leave_out(&mut self) {
        if self.choice.has_all_services() {
            return;
        }
        let choice = self.choice.clone();
        let unknown = self.unknown("--only", &choice.only).chain(self.unknown("--without", &choice.without));
        let unknown: Vec<BoxError> = unknown.collect();
        if !unknown.is_empty() {
            self.mistakes.extend(unknown);
            return;
        }
        for service in self.services.iter_mut().filter(|service| service.is_among(&choice.only)) {
            // It is wanted here, whatever others are told of it.
            service.spec.details_mut().remote = None;
        }
        let mut kept = self.kept().into_iter();
        let is_left_out = |service: &mut Declared| kept.next() == Some(false) && !service.runs_elsewhere();
        let left_out: Vec<Declared> = self.services.extract_if(.., is_left_out).collect();
        for service in self.services.iter_mut().filter(|service| service.spec.has_details()) {
            let is_left_out = |edge: &After| left_out.iter().any(|other| edge.target.means(other));
            service.spec.details_mut().edges.retain(|edge| !edge.optional || !is_left_out(edge));
        }
        if self.services.iter().all(Declared::runs_elsewhere) {
            self.mistakes.push(NOTHING_LEFT.into());
        }
        self.elsewhere.extend(left_out.iter().map(|service| service.spec.get_name().to_owned()));
    }

    /// The mistakes of names that no service has.
    fn unknown(&self, argument: &str, names: &[String]) -> impl Iterator<Item = BoxError> {
        let known = || self.services.iter().map(|service| service.spec.get_name());
        let unknown = names.iter().filter(move |name| !known().any(|known| known == **name));
        unknown.map(move |name| {
            if let Some((group, _)) = name.split_once('/').filter(|(group, _)| known().any(|known| known == *group)) {
                return format!("{argument}: `{name}` is inside of `{group}`, which runs as a whole: choose that")
                    .into();
            }
            let hint = did_you_mean(name, known());
            format!("{argument}: `{name}` is not in this group{hint}").into()
        })
    }

    /// Returns which services run here: one answer for each.
    pub(super) fn kept(&self) -> Vec<bool> {
        let choice = &self.choice;
        let may_run = |service: &Declared| !service.runs_elsewhere() && !service.is_among(&choice.without);
        // A sidecar stands beside whatever runs.
        let is_chosen =
            |service: &Declared| choice.only.is_empty() || service.is_among(&choice.only) || service.is_sidecar();
        let mut kept: Vec<bool> = self.services.iter().map(|service| may_run(service) && is_chosen(service)).collect();
        let mut open: Vec<usize> = (0..kept.len()).filter(|&service| kept[service]).collect();
        while let Some(service) = open.pop() {
            for (other, needed) in self.services.iter().enumerate() {
                if !kept[other] && may_run(needed) && self.services[service].comes_with(needed) {
                    kept[other] = true;
                    open.push(other);
                }
            }
        }
        kept
    }
}

impl Declared {
    fn is_among(&self, names: &[String]) -> bool {
        names.iter().any(|name| name == self.spec.get_name())
    }

    /// Returns true if this service cannot run without the other one.
    fn comes_with(&self, other: &Self) -> bool {
        let details = self.spec.details();
        let takes = details.start_needs.values().iter().chain(details.build_needs.values());
        let has_edge = details.edges.iter().any(|edge| !edge.optional && edge.target.means(other));
        let is_mounted_on_it = details.http_on.as_ref().is_some_and(|on| on.means(other));
        // It has nothing to serve without those that are mounted on it.
        let carries = details.serves_others && other.spec.details().http_on.as_ref().is_some_and(|on| on.means(self));
        let takes_it = takes.copied().any(|needed| needed.type_id == other.type_id);
        #[cfg(feature = "grpc")]
        let calls_it = self.spec.calls(other.type_id);
        #[cfg(not(feature = "grpc"))]
        let calls_it = false;
        has_edge || is_mounted_on_it || carries || takes_it || calls_it
    }
}
