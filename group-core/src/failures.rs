//! What went wrong in a group, kept within bounds.

use crate::Failure;

/// How many failures that the group survived are remembered: a service may be started again for ever.
const SURVIVED: usize = 1000;

/// Every failure that counts, and the last of those that were survived, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    kept: Vec<Failure>,
    survived: usize,
    forgotten: u64,
}

impl Failures {
    pub(crate) fn push(&mut self, failure: Failure) {
        self.survived += usize::from(!failure.is_fatal());
        self.kept.push(failure);
        if self.survived > SURVIVED
            && let Some(oldest) = self.kept.iter().position(|failure| !failure.is_fatal())
        {
            self.kept.remove(oldest);
            self.survived -= 1;
            self.forgotten += 1;
        }
    }

    pub(crate) fn kept(&self) -> &[Failure] {
        &self.kept
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl From<Vec<Failure>> for Failures {
    fn from(kept: Vec<Failure>) -> Self {
        let survived = kept.iter().filter(|failure| !failure.is_fatal()).count();
        Self { kept, survived, forgotten: 0 }
    }
}
