"""Cross-entropy over a vocabulary without ever holding all logits."""

import torch

ROWS_ON_CPU, ROWS_ON_GPU = 384, 8192


class OutputLoss(torch.autograd.Function):
    """Mean cross-entropy with label smoothing (Szegedy et al. 2016) of `states @ weight.T`, a few hundred rows at a time.

    states: (n, d); weight: (v, d); labels: (n,). Logits of shape (n, v) would not fit a processor's cache, nor their gradient: so
    the gradients of a block of rows are computed together with its loss.

    A `teacher` (states (n, e), weight (v, e), share) takes part of the place of the labels: its probabilities are mixed in with that
    share (word-level distillation, Kim and Rush 2016).
    """

    @staticmethod
    def forward(context, states, weight, labels, smoothing, wants_gradient, dtype, teacher=None):
        rows, vocabulary = states.size(0), weight.size(0)
        step = ROWS_ON_CPU if states.device.type == "cpu" else ROWS_ON_GPU
        head = weight.to(dtype)
        taught_states, taught_weight, taught = teacher or (None, None, 0.0)
        labelled = 1 - taught
        states_gradient = torch.empty_like(states) if wants_gradient else None
        weight_gradient = torch.zeros_like(weight) if wants_gradient else None
        total = 0.0
        for start in range(0, rows, step):
            block = slice(start, start + step)
            hidden, wanted = states[block].to(dtype), labels[block]
            logits = (hidden @ head.t()).float()
            normaliser = logits.logsumexp(-1, keepdim=True)
            picked = logits.gather(1, wanted[:, None])
            total += float((normaliser - labelled * (1 - smoothing) * picked).sum() - labelled * (smoothing / vocabulary) * logits.sum())
            if teacher:
                probabilities = (taught_states[block].to(dtype) @ taught_weight.to(dtype).t()).float().softmax(-1)
                total -= taught * float(torch.dot(probabilities.view(-1), logits.view(-1)))
            if wants_gradient:
                gradient = logits.sub_(normaliser).exp_().sub_(labelled * smoothing / vocabulary)
                gradient.scatter_add_(1, wanted[:, None], torch.full_like(picked, labelled * (smoothing - 1)))
                if teacher:
                    gradient.sub_(probabilities, alpha=taught)
                gradient = gradient.to(dtype)
                states_gradient[block] = (gradient @ head).to(states.dtype)
                weight_gradient += (gradient.t() @ hidden).to(weight.dtype)
        if wants_gradient:
            context.save_for_backward(states_gradient.div_(rows), weight_gradient.div_(rows))
        return torch.tensor(total / rows)

    @staticmethod
    def backward(context, gradient):
        states_gradient, weight_gradient = context.saved_tensors
        return gradient.to(states_gradient) * states_gradient, gradient.to(weight_gradient) * weight_gradient, None, None, None, None, None
