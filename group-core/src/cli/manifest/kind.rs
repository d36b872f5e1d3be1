//! The kinds of files.

/// A kind of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Systemd,
    Kubernetes,
    Compose,
    Dockerfile,
}

impl Kind {
    pub(crate) const NAMES: [&str; 4] = ["systemd", "kubernetes", "compose", "dockerfile"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let place = Self::NAMES.iter().position(|known| *known == name)?;
        Some([Self::Systemd, Self::Kubernetes, Self::Compose, Self::Dockerfile][place])
    }

    /// Returns true if the program has a network of its own, so that others reach it only on all interfaces.
    pub(super) fn is_container(self) -> bool {
        self != Self::Systemd
    }
}
