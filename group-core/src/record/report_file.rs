//! The report as a file, for those who look when the process is gone.

#[cfg(not(feature = "serde"))]
pub(crate) use self::absent::ReportFile;
#[cfg(feature = "serde")]
pub(crate) use self::written::ReportFile;

#[cfg(feature = "serde")]
mod written {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::{fs, io, path, process};

    use crate::record::report::Report;

    /// The file that the report is written to, if there is to be one.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ReportFile(Option<Arc<Path>>);

    impl ReportFile {
        /// A path that is relative stays where it is now, wherever the process goes.
        pub(crate) fn at(file: PathBuf) -> Self {
            Self(Some(path::absolute(&file).unwrap_or(file).into()))
        }

        pub(crate) fn path(&self) -> Option<&Path> {
            self.0.as_deref()
        }

        /// Writes the report. A failure is logged, and changes nothing else.
        pub(crate) fn write(&self, report: &Report) {
            let Some(file) = &self.0 else { return };
            let shown = file.display();
            match replace(file, report) {
                Ok(()) => tracing::debug!(target: "group", file = %shown, "the report is in {shown}"),
                Err(error) => {
                    tracing::warn!(target: "group", file = %shown, %error, "cannot write the report to {shown}: {error}");
                }
            }
        }
    }

    /// Writes a new file beside the old one, and puts it in its place: nobody ever sees a half.
    fn replace(file: &Path, report: &Report) -> io::Result<()> {
        let name = file.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let mut json = serde_json::to_vec_pretty(report)?;
        json.push(b'\n');
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", process::id()));
        let new = file.with_file_name(hidden);
        let replaced = fs::write(&new, json).and_then(|()| fs::rename(&new, file));
        if replaced.is_err() {
            // The first error says why; this file may not even exist.
            let _ = fs::remove_file(&new);
        }
        replaced
    }
}

#[cfg(not(feature = "serde"))]
mod absent {
    use crate::record::report::Report;

    /// Without the feature `serde` there is no file.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ReportFile;

    impl ReportFile {
        #[expect(clippy::unused_self, reason = "with the feature it has a path")]
        pub(crate) fn write(&self, _: &Report) {}
    }
}
