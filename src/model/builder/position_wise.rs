//! Building the position-wise part of a layer, with or without experts, and the prompts of attention.

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use super::{Builder, LinearLayout};
use crate::error::WithHint;
use crate::model::residual::Residual;
use crate::model::spec::{ExpertSpec, Prompts, Stack, StackNames};
use crate::nn::{Experts, FeedForward, PositionWise, Prompt};

impl Builder<'_> {
    /// The position-wise part of a layer and its normalisation.
    pub fn position_wise(&self, layer: usize, names: &StackNames, stack: &Stack) -> Result<(PositionWise, Residual)> {
        let prefix = format!("{}{layer}.", names.layers);
        let [up, gate, down, norm] = names.feed_forward;
        let part = match &stack.experts {
            Some(experts) if experts.layers.contains(&layer) => {
                PositionWise::Sparse(self.experts(&prefix, names, stack, experts)?)
            }
            _ => PositionWise::Dense(self.feed_forward(
                &prefix,
                [up, gate, down],
                names.form(stack.feed_forward_bias),
                stack,
            )?),
        };
        Ok((part, self.residual(&prefix, [norm, names.after[2]], stack)?))
    }

    /// The experts of layer `prefix`.
    fn experts(&self, prefix: &str, names: &StackNames, stack: &Stack, experts: &ExpertSpec) -> Result<Experts> {
        let [up, gate, down, _] = names.feed_forward;
        let parts = |name: &'static str| name.rsplit_once('.').unwrap_or(("", name));
        let (inside, own) = (parts(up).0, [parts(up).1, parts(gate).1, parts(down).1]);
        let [router, expert] = experts.names.map(|name| format!("{prefix}{inside}.{name}"));
        let beyond = format!("{expert}{}.{}.weight", experts.count, own[0]);
        ensure!(
            self.find(&beyond).is_none(),
            format!(
                "the weights have `{beyond}`, but config.json says that there are {} experts (`num_experts`)",
                experts.count
            )
            .with_hint("config.json and the weights must be of the same checkpoint")
        );
        // The router computes in f32, whatever the type of the rest.
        let exact = Builder { dtype: DType::F32, quantiser: None, ..*self };
        Ok(Experts {
            router: exact.linear("", &[&router], [experts.count, stack.width], names.form(experts.router_bias))?,
            parts: (0..experts.count)
                .map(|number| {
                    self.feed_forward(&format!("{expert}{number}."), own, names.form(stack.feed_forward_bias), stack)
                })
                .collect::<Result<_>>()?,
            routing: experts.routing,
        })
    }

    /// The prompts of each layer of a stack, computed from the prompt table `name`.
    pub fn prompts(&self, prompts: &Prompts, name: &str, stack: &Stack) -> Result<Vec<Prompt>> {
        let (d, both) = (stack.width, 2 * stack.width * stack.layers);
        let exact = |name: &str, shape: &[usize]| self.get(name, shape)?.tensor(DType::F32, &Device::Cpu);
        let layer = |number: usize, x: &Tensor, n: usize, k: usize| -> Result<Tensor> {
            let name = format!("{name}.prompt_trans.{number}");
            let product = x.matmul(&exact(&format!("{name}.weight"), &[n, k])?.t()?)?;
            Ok(product.broadcast_add(&exact(&format!("{name}.bias"), &[n])?)?)
        };
        let table = exact(&format!("{name}.prompt_embedding.weight"), &[prompts.count, d])?;
        let all = layer(2, &layer(0, &table, prompts.inner, d)?.gelu_erf()?, both, prompts.inner)?;
        let all = all.to_dtype(self.dtype)?.to_device(self.device)?;
        let part = |at: usize| all.narrow(1, at * d, d)?.contiguous();
        (0..stack.layers).map(|layer| Prompt::new(&part(2 * layer)?, &part(2 * layer + 1)?)).collect()
    }

    /// A feed-forward layer whose up, gate and down projections have these names under `prefix`.
    fn feed_forward(
        &self,
        prefix: &str,
        [up, gate, down]: [&str; 3],
        form: LinearLayout,
        stack: &Stack,
    ) -> Result<FeedForward> {
        let (d, inner) = (stack.width, stack.inner);
        let gate = stack.gated.then(|| self.linear(prefix, &[gate], [inner, d], form)).transpose()?;
        let up = self.linear(prefix, &[up], [inner, d], form)?;
        let down = self.linear(prefix, &[down], [d, inner], form)?;
        Ok(FeedForward { up, gate, down, activation: stack.activation })
    }
}
