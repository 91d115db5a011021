//! Errors as a program that embeds the library meets them.

use kortom::device::DeviceChoice;
use kortom::document::{Document, Format};
use kortom::{Error, ErrorKind, Pipeline, PipelineOptions};

/// The error of loading what these options ask for.
fn refused(change: impl FnOnce(&mut PipelineOptions)) -> Error {
    let mut options = PipelineOptions { offline: true, ..PipelineOptions::digest("kortom-nl-en") };
    change(&mut options);
    Pipeline::load(options).err().unwrap()
}

#[test]
fn an_error_has_its_kind_and_its_remedy_as_values() {
    let name = |name: &str| Some(name.to_owned());
    let errors = [
        (ErrorKind::Model, refused(|options| options.model = name("no-such-model"))),
        (ErrorKind::Network, refused(|options| options.model = name("nobody/no-such-model"))),
        (ErrorKind::Language, refused(|options| options.from = name("fr"))),
        (ErrorKind::Device, refused(|options| options.device = Some(DeviceChoice::Cuda(99)))),
        (ErrorKind::Input, Document::read("-", vec![0xff], Format::Text).unwrap_err()),
    ];
    for (kind, error) in &errors {
        let (described, hint) = (error.describe(), error.hint().unwrap());
        assert_eq!(error.kind(), *kind, "{described}");
        assert!(described.ends_with(&format!("\nhint: {hint}")), "{described}");
        assert!(!error.message().contains("hint"), "{described}");
    }
    let (_, language) = &errors[2];
    assert_eq!(language.hint(), Some("leave out --from and --to, or choose another model"));
}
