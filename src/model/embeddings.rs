//! The embeddings of a checkpoint and its output matrix, under whichever names the weights have them.

use anyhow::Result;

use super::View;
use super::builder::Builder;
use super::spec::Stack;
use crate::nn::Matrix;

/// The source embedding, the target embedding and the output matrix. Those whose numbers are equal are built once. A table of
/// its own is used if its numbers differ from the shared one's, whatever config.json says about tying: transformers 5 does
/// so, and stores tables that are not tied under all of their names.
///
/// # Errors
/// When a table is missing, or has another size than config.json says.
pub(super) fn embeddings(builder: &Builder) -> Result<[Matrix; 3]> {
    let (spec, head) = (builder.spec, builder.spec.names.head);
    let mut built: Vec<(View, Matrix)> = Vec::new();
    let mut matrix = |view| {
        if let Some((_, matrix)) = built.iter().find(|(known, _)| known.same(&view)) {
            return Ok(matrix.clone());
        }
        let matrix = builder.matrix(&[view])?;
        built.push((view, matrix.clone()));
        Ok::<_, anyhow::Error>(matrix)
    };
    let [source, target, tied] = tables(builder)?;
    let (target, source) = (matrix(target)?, matrix(source)?);
    let output = match builder.find(head) {
        Some(own) if !own.same(&tied) => {
            own.expect(head, &[spec.vocabulary, spec.decoder.width])?;
            matrix(own)?
        }
        None if !spec.tied_output => {
            return Err(builder.weights.first(&[head]).err().unwrap_or_else(|| anyhow::anyhow!("no `{head}`")));
        }
        _ => matrix(tied)?,
    };
    Ok([source, target, output])
}

/// The tables of source and target, and the one that the output matrix is tied to.
fn tables<'b>(builder: &'b Builder<'_>) -> Result<[View<'b>; 3]> {
    let (spec, names) = (builder.spec, &builder.spec.names);
    let (source, target, head) = (names.encoder.embedding, names.decoder.embedding, names.head);
    if !spec.shared_embedding {
        let source = table(builder, &[source, names.shared], spec.source_vocabulary, &spec.encoder)?;
        let target = table(builder, &[target, head, names.shared], spec.vocabulary, &spec.decoder)?;
        return Ok([source, target, target]);
    }
    let shared = table(builder, &[names.shared, target, source, head], spec.vocabulary, &spec.decoder)?;
    let own = |name: &str, stack: &Stack| {
        let view = builder.find(name).unwrap_or(shared);
        view.expect(name, &[spec.vocabulary, stack.width])?;
        Ok::<_, anyhow::Error>(view)
    };
    Ok([own(source, &spec.encoder)?, own(target, &spec.decoder)?, shared])
}

/// The first of these tensors that the weights have, `[rows, width of the stack]`.
fn table<'b>(builder: &'b Builder<'_>, names: &[&'static str], rows: usize, stack: &Stack) -> Result<View<'b>> {
    let names: Vec<_> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let view = match names.iter().find_map(|name| builder.find(name)) {
        Some(view) => view,
        None => builder.weights.first(&names)?,
    };
    view.expect(names[0], &[rows, stack.width])?;
    Ok(view)
}
