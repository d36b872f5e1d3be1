//! One life of a service: what its tasks, its contexts and its parts belong to.

use std::sync::Arc;

use crate::base::lock;
use crate::lifecycle::interface::Id;
use crate::running::member::Member;
use crate::running::shared::Shared;

/// One life of a service. Cheap to clone, and as small as its usual form, the first life.
#[derive(Clone)]
pub(crate) enum OneLife {
    First(Arc<Shared>, Id),
    Again(Arc<Again>),
}

/// A life that was begun by hand.
pub(crate) struct Again {
    shared: Arc<Shared>,
    id: Id,
    member: Arc<Member>,
}

impl OneLife {
    pub(crate) fn again(shared: Arc<Shared>, id: Id, member: Arc<Member>) -> Self {
        Self::Again(Arc::new(Again { shared, id, member }))
    }

    /// The present life of a service.
    pub(crate) fn present(shared: &Arc<Shared>, id: Id) -> Self {
        let shared = Arc::clone(shared);
        match shared.members.again_of(id) {
            Some(member) => Self::again(shared, id, member),
            None => Self::First(shared, id),
        }
    }

    /// Every service in its present life, each that is a group before those inside of it.
    pub(crate) fn all(group: &Arc<Shared>) -> Vec<Self> {
        let inner = lock(&group.inner).clone();
        let mut all = Vec::with_capacity(group.members.len());
        for id in 0..group.members.len() {
            all.push(Self::present(group, id));
            all.extend(inner.get(&id).iter().flat_map(|inner| Self::all(inner)));
        }
        all
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::First(shared, _) => shared,
            Self::Again(again) => &again.shared,
        }
    }

    pub(crate) fn id(&self) -> Id {
        match self {
            Self::First(_, id) => *id,
            Self::Again(again) => again.id,
        }
    }

    pub(crate) fn member(&self) -> &Member {
        match self {
            Self::First(shared, id) => shared.members.first(*id),
            Self::Again(again) => &again.member,
        }
    }
}

impl AsRef<Member> for OneLife {
    fn as_ref(&self) -> &Member {
        self.member()
    }
}
