//! Turns declarations into a plan, with all checks that come before anything is built.

use std::any::TypeId;
#[cfg(feature = "http")]
use std::collections::BTreeMap;
#[cfg(feature = "cli")]
use std::time::Duration;

use crate::base::error::BoxError;
use crate::base::hash::{NameMap, TypeMap};
use crate::base::syntax::nearest;
use crate::base::text::did_you_mean;
use crate::group::check::{check, check_runs_once};
use crate::group::declaration::Declared;
#[cfg(feature = "grpc")]
use crate::group::environment::variable_of;
#[cfg(feature = "http")]
use crate::group::route_clash;
#[cfg(feature = "http")]
use crate::group::route_clash::Served;
use crate::lifecycle::plan::{Edge, Plan, Schedule, start_order};
use crate::record::report::Report;
use crate::running::member::Member;
use crate::running::shared::Provided;
use crate::service::Factory;
use crate::spec::Spec;
use crate::spec::edge::{After, Target};
use crate::spec::name::Name;
#[cfg(feature = "grpc")]
use crate::spec::needs::Called;
use crate::spec::needs::Needed;
use crate::spec::place::Place;
use crate::spec::serve::Serving;
use crate::spec::view::View;

/// A group that can be started.
pub(crate) struct Assembly {
    pub(crate) plan: Plan,
    /// In start order, as is everything below.
    pub(crate) members: Box<[Member]>,
    pub(crate) factories: Vec<Option<Factory>>,
    pub(crate) by_type: TypeMap<usize>,
    /// The mounted services, each with the one it is mounted on.
    #[cfg(feature = "http")]
    pub(crate) mounts: Mounts,
    /// The edges as declared; the plan may have more.
    pub(crate) edges: Edges,
    /// The services that run elsewhere, in any order.
    #[cfg_attr(
        not(any(feature = "cli", feature = "grpc")),
        expect(dead_code, reason = "only gRPC is called elsewhere")
    )]
    pub(crate) elsewhere: Vec<Declared>,
    /// The services that are groups.
    pub(crate) nests: Nests,
}

impl Assembly {
    /// All services, also those inside of others.
    #[cfg(feature = "cli")]
    pub(crate) fn all_specs(&self) -> Vec<&Spec> {
        let inside = self.nests.iter().flat_map(|(_, nested)| nested.assembly.all_specs());
        self.members.iter().map(|member| &member.spec).chain(inside).collect()
    }

    /// The longest time that the start may take.
    #[cfg(feature = "cli")]
    pub(crate) fn longest_start(&self) -> Duration {
        self.plan.longest(|id| {
            let inside = self.nests.iter().find(|(service, _)| *service == id);
            let inside = inside.map_or(Duration::MAX, |(_, nested)| nested.assembly.longest_start());
            self.members[id].spec.start_limit().min(inside)
        })
    }
}

/// A group that is a service of another one, assembled.
pub(crate) struct Nested {
    pub(crate) assembly: Assembly,
    pub(crate) provided: Vec<Provided>,
    pub(crate) serve: Serving,
    outward: Outward,
}

/// The services that are groups, each with its place in the list of services.
type Nests = Vec<(usize, Nested)>;

/// The facts of a group that matter to the one around it.
struct Outward {
    /// The needs that it does not meet itself.
    wants: Vec<Want>,
    listeners: Vec<Listener>,
}

/// The need of a service.
#[derive(Clone)]
struct Want {
    by: Name,
    place: Place,
    what: Wanted,
}

#[derive(Clone, Copy)]
enum Wanted {
    /// An `Arc` of this type.
    Value(Needed),
    /// It calls this service over gRPC.
    #[cfg(feature = "grpc")]
    Call(Called),
}

/// A service with an address of its own.
struct Listener {
    address: String,
    /// The service, as a mistake names it.
    said: String,
}

/// Dependencies: `from` starts after `to`. Both are places in the list of services.
type Edges = Vec<Edge>;

/// Pairs of services: the first is mounted on the second.
type Mounts = Vec<(usize, usize)>;

/// Checks the services and puts them in order. `path` is what the names of services inside of another one begin with.
///
/// # Errors
///
/// With every mistake, not only the first.
fn assemble(
    mut declared: Vec<Declared>,
    schedule: Schedule,
    provided: &[Provided],
    path: &str,
) -> Result<(Assembly, Outward), Vec<BoxError>> {
    let mut mistakes: Vec<BoxError> = declared
        .iter()
        .filter_map(|service| check(&service.spec, path).and_then(|()| check_runs_once(service)).err())
        .collect();
    let elsewhere: Vec<Declared> = declared.extract_if(.., |service| service.runs_elsewhere()).collect();
    let nests = nests(&mut declared, &mut mistakes);
    let index = Index::new(&declared, &elsewhere, &nests, &mut mistakes);
    let mut edging = Edging { index: &index, provided, is_inside: !path.is_empty(), ..Edging::new(&index) };
    edging.find();
    let Edging { mut edges, wants, mistakes: more, .. } = edging;
    mistakes.extend(more);
    let mounts = mounts(&index, &mut mistakes);
    let listeners = listeners(&index);
    mistakes.extend(same_address(&listeners));
    mistakes.extend(same_view(&index, provided));
    // A host serves the services that are mounted on it, so it starts after them; it can run without one that fails.
    edges.extend(mounts.iter().map(|&(from, to)| Edge { from: to, to: from, required: false }));
    edges.extend(edges_of_sidecars(&declared, &edges));
    mistakes.extend(only_sidecars(&declared));
    #[cfg(feature = "http")]
    mistakes.extend(clashes(&index, &mounts));
    let pairs: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    match start_order(declared.len(), &pairs) {
        Ok(order) if mistakes.is_empty() => {
            let assembly = in_order(declared, schedule, &order, edges, mounts, nests);
            Ok((Assembly { elsewhere, ..assembly }, Outward { wants, listeners }))
        }
        Ok(_) => Err(mistakes),
        Err(cycles) => {
            mistakes.extend(cycles.iter().map(|cycle| cycle_mistake(&declared, cycle)));
            Err(mistakes)
        }
    }
}

/// Assembles the groups that are services of this one.
fn nests(declared: &mut [Declared], mistakes: &mut Vec<BoxError>) -> Nests {
    let mut nests = Vec::new();
    for (service, Declared { spec, inner, .. }) in declared.iter_mut().enumerate() {
        let Some(mut inner) = inner.take() else { continue };
        let path = format!("{}/", spec.name);
        inner.put_inside(&path);
        mistakes.append(&mut inner.mistakes);
        match assemble(inner.services, inner.schedule, &inner.provided, &path) {
            Ok((assembly, outward)) => {
                nests.push((service, Nested { assembly, provided: inner.provided, serve: inner.serve, outward }));
            }
            Err(more) => mistakes.extend(more),
        }
    }
    nests
}

/// Checks the services and puts them in order.
///
/// # Errors
///
/// With a report of these mistakes and of all that are found here.
pub(crate) fn assembled(
    services: Vec<Declared>,
    provided: &[Provided],
    schedule: Schedule,
    mut mistakes: Vec<BoxError>,
) -> Result<Assembly, Report> {
    match assemble(services, schedule, provided, "") {
        Ok((assembly, _)) if mistakes.is_empty() => return Ok(assembly),
        Ok(_) => {}
        Err(more) => mistakes.extend(more),
    }
    Err(Report::bad_group(mistakes))
}

/// Sorts everything by start order.
fn in_order(
    mut declared: Vec<Declared>,
    schedule: Schedule,
    order: &[usize],
    mut edges: Edges,
    mut mounts: Mounts,
    mut nests: Nests,
) -> Assembly {
    let mut place = vec![0; order.len()];
    for (id, &service) in order.iter().enumerate() {
        place[service] = id;
    }
    for edge in &mut edges {
        (edge.from, edge.to) = (place[edge.from], place[edge.to]);
    }
    for (service, host) in &mut mounts {
        let name = declared[*host].spec.name.clone();
        declared[*service].spec.details_mut().http_on = Some(Target::Name(name));
        (*service, *host) = (place[*service], place[*host]);
    }
    for (service, _) in &mut nests {
        *service = place[*service];
    }
    let plan = Plan::new(schedule, order.len(), &edges);
    for at in 0..place.len() {
        while place[at] != at {
            let to = place[at];
            declared.swap(at, to);
            place.swap(at, to);
        }
    }
    let mut members = Vec::with_capacity(declared.len());
    let mut by_type = TypeMap::default();
    let factory = |service: Declared| {
        by_type.entry(service.type_id).or_insert(members.len());
        for view in &service.spec.details().views {
            by_type.entry(view.of.type_id).or_insert(members.len());
        }
        let mut member = Member::new(service.spec);
        member.runs_once = service.runs_once;
        members.push(member);
        service.factory
    };
    // The factories are collected into the memory of the declarations.
    let factories = declared.into_iter().map(factory).collect();
    Assembly {
        plan,
        members: members.into(),
        factories,
        by_type,
        #[cfg(feature = "http")]
        mounts,
        edges,
        elsewhere: Vec::new(),
        nests,
    }
}

/// The declared services, by name and by type.
struct Index<'a> {
    declared: &'a [Declared],
    /// The services with details: only these can have edges, addresses and mounts.
    detailed: Vec<usize>,
    by_name: NameMap<&'a Name, usize>,
    by_type: TypeMap<Vec<usize>>,
    elsewhere: &'a [Declared],
    nests: &'a [(usize, Nested)],
}

impl<'a> Index<'a> {
    fn new(
        declared: &'a [Declared],
        elsewhere: &'a [Declared],
        nests: &'a [(usize, Nested)],
        mistakes: &mut Vec<BoxError>,
    ) -> Self {
        let mut by_name = NameMap::with_capacity_and_hasher(declared.len(), <_>::default());
        let mut by_type = TypeMap::<Vec<usize>>::default();
        let mut detailed = Vec::new();
        for (service, Declared { spec, type_id, .. }) in declared.iter().enumerate() {
            if spec.has_details() {
                detailed.push(service);
            }
            by_type.entry(*type_id).or_default().push(service);
            for view in &spec.details().views {
                by_type.entry(view.of.type_id).or_default().push(service);
            }
            let first = *by_name.entry(&spec.name).or_insert(service);
            if first != service {
                mistakes.push(same_name(&declared[first], &declared[service]));
            }
        }
        Self { declared, detailed, by_name, by_type, elsewhere, nests }
    }

    fn detailed(&self) -> impl Iterator<Item = (usize, &'a Declared)> + use<'a, '_> {
        self.detailed.iter().map(|&service| (service, &self.declared[service]))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| name.as_str())
    }

    /// Returns the service that is meant, if it runs elsewhere.
    fn elsewhere(&self, target: &Target) -> Option<&Spec> {
        self.elsewhere.iter().find(|service| target.means(service)).map(|service| &service.spec)
    }

    /// Returns the service that has one of this type inside.
    fn around(&self, type_id: TypeId) -> Option<&Name> {
        let has_it = |nest: &&(usize, Nested)| nest.1.assembly.by_type.contains_key(&type_id);
        self.nests.iter().find(has_it).map(|&(service, _)| &self.declared[service].spec.name)
    }

    fn find(&self, target: &Target) -> &[usize] {
        match target {
            Target::Type(id, _) => self.by_type.get(id).map_or(&[], Vec::as_slice),
            Target::Name(name) => self.by_name.get(name).map_or(&[], std::slice::from_ref),
        }
    }
}

fn same_name(one: &Declared, other: &Declared) -> BoxError {
    let (name, places) = (one.spec.get_name(), (one.place, other.place));
    let is_same = one.type_id == other.type_id && places.0.is_on_the_line_of(places.1);
    if is_same {
        let place = places.0;
        return format!("`{name}` ({place}) is in the group twice: it registers itself, so do not add it, or write `register = false`").into();
    }
    format!("two services are called `{name}`: {} and {}; give one another `name`", places.0, places.1).into()
}

/// Finds types that two services provide, or a service and a value: nothing says which of them is meant.
fn same_view(index: &Index<'_>, provided: &[Provided]) -> Vec<BoxError> {
    let mut mistakes = Vec::new();
    for (nth, declared) in index.detailed() {
        for View { of, .. } in &declared.spec.details().views {
            let type_name = of.type_name;
            let (name, place) = (&declared.spec.name, declared.place);
            let others = index.by_type.get(&of.type_id).map_or(&[][..], Vec::as_slice);
            if let Some(&other) = others.iter().find(|&&other| other < nth) {
                let Declared { spec, place: there, .. } = &index.declared[other];
                let other = &spec.name;
                mistakes.push(format!("`{other}` ({there}) and `{name}` ({place}) both provide `{type_name}`: nothing says which of them is meant").into());
            }
            if provided.iter().any(|value| of.is_met_by(value.type_id)) {
                mistakes.push(format!("`{name}` ({place}) provides `{type_name}`, and so does a value: nothing says which of them is meant").into());
            }
        }
    }
    mistakes
}

/// The services with an address that no other one can have, also those inside of others.
fn listeners(index: &Index<'_>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for (_, Declared { spec, place, .. }) in index.detailed() {
        let details = spec.details();
        let is_fixed = |address: &&str| !address.ends_with(":0") && !address.starts_with("fd:");
        let address = details.http.as_deref().or(details.grpc.as_deref()).filter(is_fixed);
        let said = || format!("`{}` ({place})", spec.get_name());
        listeners.extend(address.map(|address| Listener { address: address.to_owned(), said: said() }));
    }
    for (_, nested) in index.nests {
        let inside = nested.outward.listeners.iter();
        listeners
            .extend(inside.map(|Listener { address, said }| Listener { address: address.clone(), said: said.clone() }));
    }
    listeners
}

/// Finds services that would listen on the same address. One address under two names is found only by the system,
/// when the second service binds it.
fn same_address(listeners: &[Listener]) -> Vec<BoxError> {
    let mut taken: NameMap<&str, &str> = NameMap::default();
    let mut mistakes = Vec::new();
    for Listener { address, said } in listeners {
        if let Some(other) = taken.insert(address, said) {
            mistakes.push(
                format!(
                    "{other} and {said} both serve on {address}: give one another address, or mount one on the other"
                )
                .into(),
            );
        }
    }
    mistakes
}

/// Finds the dependencies of all services. A dependency that is not there is a mistake, unless it is optional.
struct Edging<'a> {
    index: &'a Index<'a>,
    provided: &'a [Provided],
    /// True if the group is inside of another one, which may have what is not here.
    is_inside: bool,
    edges: Edges,
    /// The needs that are not met here.
    wants: Vec<Want>,
    mistakes: Vec<BoxError>,
}

impl<'a> Edging<'a> {
    fn new(index: &'a Index<'a>) -> Self {
        Self { index, provided: &[], is_inside: false, edges: Vec::new(), wants: Vec::new(), mistakes: Vec::new() }
    }

    fn find(&mut self) {
        let index = self.index;
        for (service, declared) in index.detailed() {
            self.edges_of_order(service, declared);
            let Declared { spec, place, .. } = declared;
            let needs = [&spec.details().start_needs, &spec.details().build_needs];
            let want = |what| Want { by: spec.name.clone(), place: *place, what };
            for needed in needs.iter().flat_map(|needs| needs.values()) {
                self.meet(service, want(Wanted::Value(*needed)));
            }
            #[cfg(feature = "grpc")]
            for called in needs.iter().flat_map(|needs| needs.all_called()) {
                self.meet(service, want(Wanted::Call(*called)));
            }
        }
        for (service, nested) in index.nests {
            for want in &nested.outward.wants {
                self.meet(*service, want.clone());
            }
        }
    }

    fn edges_of_order(&mut self, service: usize, Declared { spec, place, .. }: &Declared) {
        let (index, name) = (self.index, &spec.name);
        for After { target, optional } in &spec.details().edges {
            let found = index.find(target);
            self.edges.extend(found.iter().map(|&to| Edge { from: service, to, required: !optional }));
            if found.is_empty() && index.elsewhere(target).is_some() {
                tracing::debug!(target: "group", service = name.as_str(), "`{name}` starts after {target}, which runs elsewhere");
            } else if found.is_empty() && *optional {
                tracing::warn!(target: "group", service = name.as_str(), "`{name}` would start after {target}, which is not in this group");
            } else if found.is_empty() {
                let hint = hint(target, index);
                self.mistakes
                    .push(format!("`{name}` ({place}) starts after {target}, which is not in this group{hint}").into());
            }
        }
    }

    /// Finds what a service needs, or what is needed inside of it: it starts first.
    fn meet(&mut self, service: usize, want: Want) {
        let target = match want.what {
            Wanted::Value(Needed { type_id, type_name, .. }) => Target::Type(type_id, type_name),
            #[cfg(feature = "grpc")]
            Wanted::Call(Called { type_id, type_name, .. }) => Target::Type(type_id, type_name),
        };
        let found = self.index.find(&target);
        self.edges.extend(found.iter().map(|&to| Edge { from: service, to, required: true }));
        if found.is_empty() {
            match self.why_not_met(&want, &target) {
                Some(_) if self.is_inside => self.wants.push(want),
                mistake => self.mistakes.extend(mistake.map(BoxError::from)),
            }
        }
    }

    /// The mistake of a need that no service of this group meets, unless something else does.
    fn why_not_met(&self, Want { by: name, place, what }: &Want, target: &Target) -> Option<String> {
        let elsewhere = self.index.elsewhere(target);
        match what {
            Wanted::Value(Needed { type_name, .. }) if elsewhere.is_some() => {
                let other = elsewhere.map_or("", Spec::get_name);
                Some(format!(
                    "`{name}` ({place}) needs an `Arc<{type_name}>`, but `{other}` runs elsewhere: call it through a `Channel<{type_name}>`"
                ))
            }
            Wanted::Value(needed) if self.provided.iter().any(|value| needed.is_met_by(value.type_id)) => None,
            Wanted::Value(Needed { type_id, type_name, .. }) => {
                let instead = match self.index.around(*type_id) {
                    Some(group) => format!("it is inside of `{group}`, where no service from outside can take it"),
                    None => instead(type_name, self.index, self.provided),
                };
                Some(format!(
                    "`{name}` ({place}) needs an `Arc<{type_name}>`, which is neither a service in this group nor provided to it: {instead}"
                ))
            }
            #[cfg(feature = "grpc")]
            Wanted::Call(_) if elsewhere.is_some() => None,
            #[cfg(feature = "grpc")]
            Wanted::Call(called) => {
                let (type_name, variable) = (called.type_name, variable_of((called.name)().as_str(), "remote"));
                Some(format!(
                    "`{name}` ({place}) calls `{type_name}`, which is not in this group: add it, or say where it runs, as in `{variable}=http://host:50051`"
                ))
            }
        }
    }
}

/// Orders the sidecars first: every service that none of them needs comes after all of them. It can run without one that
/// fails.
fn edges_of_sidecars(declared: &[Declared], edges: &[Edge]) -> Edges {
    let sidecars: Vec<usize> = (0..declared.len()).filter(|&service| declared[service].is_sidecar()).collect();
    let mut comes_before = vec![false; declared.len()];
    let mut open = sidecars.clone();
    while let Some(service) = open.pop() {
        if !std::mem::replace(&mut comes_before[service], true) {
            open.extend(edges.iter().filter(|edge| edge.from == service).map(|edge| edge.to));
        }
    }
    let others = (0..declared.len()).filter(|&service| !comes_before[service]);
    others.flat_map(|from| sidecars.iter().map(move |&to| Edge { from, to, required: false })).collect()
}

/// The mistake of a group that has nothing for its sidecars to go along with.
fn only_sidecars(declared: &[Declared]) -> Option<BoxError> {
    let [first, ..] = declared else { return None };
    let name = first.spec.get_name();
    let is_mistake = declared.iter().all(Declared::is_sidecar);
    is_mistake.then(|| {
        format!(
            "`{name}` ({}) is a sidecar, and so is everything here: nothing is left that it could go along with",
            first.place
        )
        .into()
    })
}

/// Finds which service is mounted on which.
fn mounts(index: &Index<'_>, mistakes: &mut Vec<BoxError>) -> Mounts {
    let mut mounts = Vec::new();
    for (service, Declared { spec, place, .. }) in index.detailed() {
        let Some(target) = &spec.details().http_on else { continue };
        match host(index.declared, service, index.find(target)) {
            Ok(host) => mounts.push((service, host)),
            Err(why) => {
                let hint = if index.find(target).is_empty() { hint(target, index) } else { String::new() };
                let name = spec.get_name();
                mistakes.push(format!("`{name}` ({place}) is mounted on {target}, {why}{hint}").into());
            }
        }
    }
    let serves_nothing = |&(service, declared): &(usize, &Declared)| {
        declared.spec.details().serves_others && !mounts.iter().any(|&(_, host)| host == service)
    };
    for (_, Declared { spec, place, .. }) in index.detailed().filter(serves_nothing) {
        let name = spec.get_name();
        mistakes.push(
            format!("`{name}` ({place}) serves nothing: add a method with `#[get(\"/path\")]` to it, or mount another service on it").into(),
        );
    }
    mounts
}

/// Returns the one service on which another is to be mounted.
///
/// # Errors
///
/// With the reason if there is none.
fn host(declared: &[Declared], service: usize, found: &[usize]) -> Result<usize, String> {
    let &[host] = found else {
        let names: Vec<String> = found.iter().map(|&one| format!("`{}`", declared[one].spec.get_name())).collect();
        return Err(match &names[..] {
            [] => "which is not in this group".to_owned(),
            names => format!("and there are several of it, {}: say which, with `http_on_named`", names.join(", ")),
        });
    };
    let Declared { spec, place, .. } = &declared[host];
    match &spec.details().http_on {
        _ if host == service => Err("which is itself: give it an address".to_owned()),
        _ if spec.details().http.is_some() => Ok(host),
        Some(on) => {
            Err(format!("which is mounted on {on} ({place}) and has no address of its own: mount it there, too"))
        }
        None => Err(format!("which has no address ({place}): give it one, as in `http = \"127.0.0.1:8080\"`")),
    }
}

/// Finds conflicting routes, on each address.
#[cfg(feature = "http")]
fn clashes(index: &Index<'_>, mounts: &Mounts) -> Vec<BoxError> {
    let mut hosts: BTreeMap<usize, Vec<Served<'_>>> = BTreeMap::new();
    for (service, Declared { spec, .. }) in index.detailed().filter(|(_, one)| !one.spec.details().routes.is_empty()) {
        // Mounts are in the order of the services.
        let host = match mounts.binary_search_by_key(&service, |&(mounted, _)| mounted) {
            Ok(at) => mounts[at].1,
            Err(_) if spec.details().http.is_some() => service,
            Err(_) => continue,
        };
        let prefix = spec.details().prefix.as_deref().unwrap_or_default();
        let served = |route| Served { service: spec.get_name(), prefix, route };
        hosts.entry(host).or_default().extend(spec.details().routes.iter().map(served));
    }
    hosts.values().flat_map(|served| route_clash::find(served)).collect()
}

fn hint(target: &Target, index: &Index<'_>) -> String {
    did_you_mean(target.name().as_str(), index.names())
}

/// Lists what is provided in place of a missing type, and a service with a similar name.
fn instead(wanted: &str, index: &Index<'_>, provided: &[Provided]) -> String {
    let (wanted, is_trait_object) = (Name::of_type(wanted), wanted.starts_with("dyn "));
    let types: Vec<String> = provided.iter().map(|provided| format!("`{}`", provided.type_name)).collect();
    let types = match &types[..] {
        [] => "no value is provided".to_owned(),
        [one] => format!("only {one} is provided"),
        many => format!("only {} are provided", many.join(", ")),
    };
    if is_trait_object {
        return format!("{types}; provide an `Arc` of the trait object, or add a service that `provides` it");
    }
    let near = nearest(wanted.as_str(), index.names());
    near.map_or_else(|| types.clone(), |near| format!("{types}, and there is a service `{near}`"))
}

/// Describes a cycle: its path, and the reason of each step.
fn cycle_mistake(declared: &[Declared], cycle: &[usize]) -> BoxError {
    let path: Vec<&str> = cycle.iter().map(|&service| declared[service].spec.get_name()).collect();
    let why: Vec<String> = cycle.windows(2).map(|pair| why_after(&declared[pair[0]], &declared[pair[1]])).collect();
    let (path, why) = (path.join(" -> "), why.join("; "));
    format!("no order exists, because each of these starts after the next: {path}: {why}").into()
}

/// Explains why one service starts after another.
fn why_after(service: &Declared, other: &Declared) -> String {
    let Declared { spec, place, .. } = service;
    let (name, needed) = (spec.get_name(), other.spec.get_name());
    let needs = spec.details().start_needs.values().iter().chain(spec.details().build_needs.values());
    let is_other = |needed: &Needed| {
        let views = &other.spec.details().views;
        needed.type_id == other.type_id || views.iter().any(|view| view.of.type_id == needed.type_id)
    };
    let taken = needs.copied().find(is_other);
    let is_mounted = other.spec.details().http_on.as_ref().is_some_and(|on| on.means(service));
    let is_after = spec.details().edges.iter().any(|edge| edge.target.means(other));
    match taken {
        _ if is_after => format!("`{name}` ({place}) is set to start after `{needed}`"),
        Some(Needed { type_name, .. }) => format!("`{name}` ({place}) takes an `Arc<{type_name}>`"),
        None if is_mounted => format!("`{needed}` is mounted on `{name}` ({place})"),
        None => format!("`{name}` ({place}) calls `{needed}`"),
    }
}

impl Target {
    pub(super) fn means(&self, service: &Declared) -> bool {
        match self {
            Self::Type(id, _) => service.type_id == *id,
            Self::Name(name) => service.spec.name == *name,
        }
    }
}
