"""The estimators' parameters. Made by host/python/make_parameters.py from the library's table of options."""
from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Tuple, Union


class Parameters:
    """The constructor."""

    def __init__(
        self,
        *,
        scale: Optional[str] = None,
        scale_target: Optional[bool] = None,
        layers: Union[str, Sequence[Optional[int]], None] = None,
        bias: Optional[bool] = None,
        activation: Optional[str] = None,
        batch_norm: Optional[bool] = None,
        dropout: Optional[float] = None,
        input_dropout: Optional[float] = None,
        residual: Optional[bool] = None,
        loss: Optional[str] = None,
        mse_reduction: Optional[str] = None,
        label_smoothing: Optional[float] = None,
        class_weights: Optional[Sequence[float]] = None,
        optimizer: Optional[str] = None,
        lr: Optional[float] = None,
        momentum: Optional[float] = None,
        nesterov: Optional[bool] = None,
        rho: Optional[float] = None,
        beta1: Optional[float] = None,
        beta2: Optional[float] = None,
        eps: Optional[float] = None,
        max_update: Optional[float] = None,
        lr_schedule: Optional[str] = None,
        warmup_steps: Optional[int] = None,
        lr_final_ratio: Optional[float] = None,
        lr_gamma: Optional[float] = None,
        lr_step_epochs: Optional[int] = None,
        l2: Optional[float] = None,
        l1: Optional[float] = None,
        norm_penalty: Optional[float] = None,
        penalty_convention: Optional[str] = None,
        decoupled_decay: Optional[float] = None,
        prox_l1: Optional[bool] = None,
        penalize_bias: Optional[bool] = None,
        clip_value: Union[float, Tuple[float, float], str, None] = None,
        clip_norm: Optional[float] = None,
        clip_norm_type: Optional[str] = None,
        clip_norm_p: Optional[str] = None,
        clip_norm_torch_eps: Optional[bool] = None,
        clip_agc: Optional[float] = None,
        clip_scope: Optional[str] = None,
        clip_schedule: Optional[str] = None,
        clip_final_ratio: Optional[float] = None,
        clamp: Union[float, Tuple[float, float], str, None] = None,
        clamp_layer: Optional[Mapping[int, Any]] = None,
        clamp_init: Optional[float] = None,
        clamp_bias: Optional[bool] = None,
        clamp_schedule: Optional[str] = None,
        clamp_final_ratio: Optional[float] = None,
        row_l1: Optional[float] = None,
        row_l1_layer: Optional[Mapping[int, float]] = None,
        row_l1_sided: Optional[float] = None,
        row_l1_sided_layer: Optional[Mapping[int, float]] = None,
        row_l1_schedule: Optional[str] = None,
        row_l1_gamma: Optional[float] = None,
        row_l1_step_epochs: Optional[int] = None,
        row_l1_final_ratio: Optional[float] = None,
        max_norm: Optional[float] = None,
        max_norm_scope: Optional[str] = None,
        quantize: Optional[str] = None,
        assert_projection: Optional[bool] = None,
        weight_op: Optional[str] = None,
        weight_op_at: Optional[str] = None,
        weight_op_t: Optional[float] = None,
        weight_op_fraction: Optional[float] = None,
        weight_op_scope: Optional[str] = None,
        weight_op_literal: Optional[bool] = None,
        weight_op_layers: Optional[Sequence[int]] = None,
        batch: Optional[int] = None,
        epochs: Optional[int] = None,
        steps: Optional[int] = None,
        shuffle: Optional[bool] = None,
        drop_last: Optional[bool] = None,
        seed: Optional[int] = None,
        stop_loss: Optional[float] = None,
        stop_stall: Optional[int] = None,
        stop_projected_gradient: Optional[float] = None,
        patience: Optional[int] = None,
        patience_by: Optional[str] = None,
        keep_best: Optional[bool] = None,
        min_delta: Optional[float] = None,
        nonfinite: Optional[str] = None,
        max_skips: Optional[int] = None,
        backend: Optional[str] = None,
        step: Optional[str] = None,
        steps_per_launch: Optional[int] = None,
        precision: Optional[str] = None,
        threads: Optional[int] = None,
        parts: Optional[int] = None,
        device: Optional[int] = None,
        device_memory_limit: Union[int, str, None] = None,
        recipe: str = "table",
        val_fraction: Optional[float] = None,
        stratify: Optional[bool] = None,
        init_scheme: Optional[str] = None,
        missing: Optional[str] = None,
        max_categories: Optional[int] = None,
        categorical: Any = None,
        numeric: Any = None,
        drop: Any = None,
        monotone: Any = None,
        sign: Any = None,
        class_weight: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: Any = False,
    ) -> None:
        self.scale = scale
        self.scale_target = scale_target
        self.layers = layers
        self.bias = bias
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.residual = residual
        self.loss = loss
        self.mse_reduction = mse_reduction
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.rho = rho
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.max_update = max_update
        self.lr_schedule = lr_schedule
        self.warmup_steps = warmup_steps
        self.lr_final_ratio = lr_final_ratio
        self.lr_gamma = lr_gamma
        self.lr_step_epochs = lr_step_epochs
        self.l2 = l2
        self.l1 = l1
        self.norm_penalty = norm_penalty
        self.penalty_convention = penalty_convention
        self.decoupled_decay = decoupled_decay
        self.prox_l1 = prox_l1
        self.penalize_bias = penalize_bias
        self.clip_value = clip_value
        self.clip_norm = clip_norm
        self.clip_norm_type = clip_norm_type
        self.clip_norm_p = clip_norm_p
        self.clip_norm_torch_eps = clip_norm_torch_eps
        self.clip_agc = clip_agc
        self.clip_scope = clip_scope
        self.clip_schedule = clip_schedule
        self.clip_final_ratio = clip_final_ratio
        self.clamp = clamp
        self.clamp_layer = clamp_layer
        self.clamp_init = clamp_init
        self.clamp_bias = clamp_bias
        self.clamp_schedule = clamp_schedule
        self.clamp_final_ratio = clamp_final_ratio
        self.row_l1 = row_l1
        self.row_l1_layer = row_l1_layer
        self.row_l1_sided = row_l1_sided
        self.row_l1_sided_layer = row_l1_sided_layer
        self.row_l1_schedule = row_l1_schedule
        self.row_l1_gamma = row_l1_gamma
        self.row_l1_step_epochs = row_l1_step_epochs
        self.row_l1_final_ratio = row_l1_final_ratio
        self.max_norm = max_norm
        self.max_norm_scope = max_norm_scope
        self.quantize = quantize
        self.assert_projection = assert_projection
        self.weight_op = weight_op
        self.weight_op_at = weight_op_at
        self.weight_op_t = weight_op_t
        self.weight_op_fraction = weight_op_fraction
        self.weight_op_scope = weight_op_scope
        self.weight_op_literal = weight_op_literal
        self.weight_op_layers = weight_op_layers
        self.batch = batch
        self.epochs = epochs
        self.steps = steps
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.stop_loss = stop_loss
        self.stop_stall = stop_stall
        self.stop_projected_gradient = stop_projected_gradient
        self.patience = patience
        self.patience_by = patience_by
        self.keep_best = keep_best
        self.min_delta = min_delta
        self.nonfinite = nonfinite
        self.max_skips = max_skips
        self.backend = backend
        self.step = step
        self.steps_per_launch = steps_per_launch
        self.precision = precision
        self.threads = threads
        self.parts = parts
        self.device = device
        self.device_memory_limit = device_memory_limit
        self.recipe = recipe
        self.val_fraction = val_fraction
        self.stratify = stratify
        self.init_scheme = init_scheme
        self.missing = missing
        self.max_categories = max_categories
        self.categorical = categorical
        self.numeric = numeric
        self.drop = drop
        self.monotone = monotone
        self.sign = sign
        self.class_weight = class_weight
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose


PARAMETERS = """
    Parameters
    ----------
    scale : str, default None
        scaling of the features, kept in the model; unit is bytes/255, standard the z-score of the training
        rows; auto is unit for IDX bytes, else none [auto]
    scale_target : bool, default None
        z-score of the targets (mse, huber) [no]
    layers : str or list of int or None, default None
        sizes, as in 784-128-10; auto for the first and the last takes them from the data; without it: auto-
        auto, a linear model, or the sizes of `init`
    bias : bool, default None
        layers with biases [yes]
    activation : str, default None
        activation of the hidden layers; of a saved model where it is another program's, whose file does not say
        [relu]
    batch_norm : bool, default None
        batch norm between each hidden layer and its activation, as PyTorch's BatchNorm1d; these layers have no
        biases then [no]
    dropout : float, default None
        share of the hidden layers' outputs that a step sets to 0; the others are divided by 1 - P [0]
    input_dropout : float, default None
        the same of the inputs [0]
    residual : bool, default None
        adds its input to the output of each hidden layer that has as many outputs as inputs [no]
    loss : str, default None
        the loss; auto, also without it, is by the target of a table: mse for numbers; eval and predict as with
        --activation [cross-entropy]
    mse_reduction : str, default None
        how mse is averaged [half_mean]
    label_smoothing : float, default None
        label smoothing of cross-entropy [0]
    class_weights : list of float, default None
        a weight of at least 0 for each class [off]
    optimizer : str, default None
        the optimizer [sgd]
    lr : float, default None
        learning rate [0.01]
    momentum : float, default None
        momentum of sgd and rmsprop [0]
    nesterov : bool, default None
        Nesterov momentum (sgd) [no]
    rho : float, default None
        decay of the mean square of rmsprop [0.9]
    beta1 : float, default None
        decay of the mean of adam; lion: share of the mean in the direction [0.9]
    beta2 : float, default None
        decay of the mean square of adam, of the mean of lion; auto is the optimizer's own: adam 0.999, lion
        0.99 [auto]
    eps : float, default None
        added to the root of the mean square by rmsprop and adam [1e-8]
    max_update : float, default None
        bound on each entry of a step [off]
    lr_schedule : str, default None
        schedule of the learning rate [constant]
    warmup_steps : int, default None
        raise the learning rate linearly over these steps [0]
    lr_final_ratio : float, default None
        linear, cosine: final over initial learning rate [0]
    lr_gamma : float, default None
        step schedules: the factor [0.1]
    lr_step_epochs : int, default None
        step schedules: epochs between factors [30]
    l2 : float, default None
        strength of the squared penalty [0]
    l1 : float, default None
        strength of the absolute penalty [0]
    norm_penalty : float, default None
        strength of the unsquared Frobenius norm [0]
    penalty_convention : str, default None
        what `l2` X and `l1` X mean; lambda_w2 is X*sum w^2, half is X/2*sum w^2 (PyTorch's weight_decay),
        over_m divides by the number of training rows [lambda_w2]
    decoupled_decay : float, default None
        AdamW's decay [0]
    prox_l1 : bool, default None
        L1 by its proximal map: true zeros [no]
    penalize_bias : bool, default None
        penalize the biases too [no]
    clip_value : float or (float, float), default None
        bounds on each entry of the gradient; X means -X:X [off]
    clip_norm : float, default None
        bound on the norm of the gradient [off]
    clip_norm_type : str, default None
        norm over all, of each tensor, or of each unit's row [global]
    clip_norm_p : str, default None
        which norm [2]
    clip_norm_torch_eps : bool, default None
        scale by M/(norm+1e-6) as PyTorch does [no]
    clip_agc : float, default None
        adaptive clipping; the gradient of a unit's row to X times the norm of its weights, before `clip_norm`
        [off]
    clip_scope : str, default None
        clip the total gradient, or that of the data before penalties [total]
    clip_schedule : str, default None
        schedule of both bounds; `lr_gamma` and `lr_step_epochs` hold for it too [constant]
    clip_final_ratio : float, default None
        linear, cosine: final over initial bounds [0]
    clamp : float or (float, float), default None
        box for the weights; X means -X:X; inf and -inf leave a side open [off]
    clamp_layer : dict of int to (float, float), default None
        box of linear layer L (from 0) in place of `clamp`; repeatable [off]
    clamp_init : float, default None
        box of each layer; -K to K times the range of its initial weights [off]
    clamp_bias : bool, default None
        the box holds for biases too [no]
    clamp_schedule : str, default None
        schedule of the box; `lr_gamma` and `lr_step_epochs` hold for it too [constant]
    clamp_final_ratio : float, default None
        linear, cosine: final over initial box [0]
    row_l1 : float, default None
        bound on the sum of the magnitudes in each row of the weights [off]
    row_l1_layer : dict of int to float, default None
        bound of linear layer L (from 0) in place of `row_l1`; repeatable [off]
    row_l1_sided : float, default None
        bound on the sum of the positive entries of each row, and on that of the magnitudes of its negative ones
        [off]
    row_l1_sided_layer : dict of int to float, default None
        bound of linear layer L (from 0) in place of `row_l1_sided`; repeatable [off]
    row_l1_schedule : str, default None
        schedule of these bounds [constant]
    row_l1_gamma : float, default None
        step: the factor [0.1]
    row_l1_step_epochs : int, default None
        step: epochs between factors [30]
    row_l1_final_ratio : float, default None
        linear, cosine: final over initial bounds [0]
    max_norm : float, default None
        bound on the 2-norm of the weights [off]
    max_norm_scope : str, default None
        norm of each unit's row, or of each tensor [unit]
    quantize : str, default None
        train for an integer net whose sums cannot overflow; int8,accP with accumulators of P bits (10 to 32),
        and actA, inI for hidden values and inputs of fewer bits than 8, as in int8,acc12,act4,in4 [off]
    assert_projection : bool, default None
        verify after every step that all of these and the masks hold, with `quantize` also that no sum can leave
        its accumulator [no]
    weight_op : str, default None
        relative weight operation; during training, or by prune once [none]
    weight_op_at : str, default None
        step:N, epoch:N or every; when a training applies it [epoch:1]
    weight_op_t : float, default None
        rel-*: threshold relative to the largest weight of the layer [1]
    weight_op_fraction : float, default None
        prune: share of the weights [0]
    weight_op_scope : str, default None
        prune: smallest of each tensor, of all, or of each row [tensor]
    weight_op_literal : bool, default None
        rel-clip: write t in place of t*max|W| [no]
    weight_op_layers : list of int, default None
        linear layers to work on (from 0), as in 0,2 [all]
    batch : int, default None
        rows in a batch; eval and predict: at a time [64]
    epochs : int, default None
        end after so many epochs; off when only `steps` is given [10]
    steps : int, default None
        end after so many steps [off]
    shuffle : bool, default None
        a new order in each epoch; no: file order [yes]
    drop_last : bool, default None
        leave a last, partial batch out [no]
    seed : int, default None
        seed of initial weights, split and order [0]
    stop_loss : float, default None
        stop when the mean data loss of an epoch is at most X [off]
    stop_stall : int, default None
        stop when the mean data loss of an epoch has not fallen by more than `min_delta` for N epochs; the last
        weights are kept [off]
    stop_projected_gradient : float, default None
        stop when the projected gradient on all training rows is at most X [off]
    patience : int, default None
        stop N epochs after the best validation loss; its weights are restored [off]
    patience_by : str, default None
        what `patience` watches: the validation loss, or the score, which is accuracy or R^2 [loss]
    keep_best : bool, default None
        with `patience`: training that goes wrong after an epoch whose weights were kept ends well with those,
        and a warning [no]
    min_delta : float, default None
        what counts as better for `patience` and `stop_stall` [0]
    nonfinite : str, default None
        what to do with a step whose loss or gradient is not finite [skip]
    max_skips : int, default None
        end with an error after so many skipped steps in a row [8]
    backend : str, default None
        cuda, cpu (float32) or cpu64 (the float64 reference, one thread); auto is cuda where there is one, else
        cpu [auto]
    step : str, default None
        how a step is run; fused: one kernel; unfused: cuBLAS and a kernel for each other operation; unfused-
        graph: that replayed [auto]
    steps_per_launch : int, default None
        steps in one launch; off: chosen [off]
    precision : str, default None
        precision of the matrix products [auto]
    threads : int, default None
        threads of the cpu backend; their number changes no result; auto is by the size of a step, at most one
        for each processor [auto]
    parts : int, default None
        cut each batch into up to P parts (at most 8), whose gradients are added in a tree: the weights of
        several processes (mpirun), by one; with mpirun 8; on cuda fp32, and auto is cpu [off]
    device : int, default None
        which GPU [0]
    device_memory_limit : int or str, default None
        take no more of the GPU's memory; data that do not fit come in chunks, with the same results; K, M and G
        mean 2^10, 2^20 and 2^30 [off]
    recipe : str, default "table"
        'table': what is not given is chosen by the number of rows and columns; 'none': each option has its own
        default
    val_fraction : float, default None
        share of the rows to validate on after each epoch; None: a tenth from 1000 rows on, by the recipe
    stratify : bool, default None
        whether every class has its share of them; None: yes
    init_scheme : str, default None
        how initial weights are drawn: linear, he, glorot, zeros
    missing : str, default None
        what becomes of gaps: auto (the mean, and an input that says so), error, drop-rows
    max_categories : int, default None
        inputs for the values of a column of text; rarer ones share one
    categorical : list of str or int, default None
        columns to take for text, whatever they hold
    numeric : list of str or int, default None
        columns to take for numbers
    drop : list of str or int, default None
        columns to leave out
    monotone : dict, list of int or str, default None
        outputs that never fall (1, '+') or never rise (-1, '-') where these features rise: a dict by name or
        place, a number for each feature, or 'age=+,dose=-'; weights after the first layer are not negative then
    sign : path or dict, default None
        weights that stay on one side of 0: a .safetensors file, or a dict of tensors' names to 1 (not
        negative), -1 (not positive) and 0 (free)
    class_weight : dict or 'balanced', default None
        a weight for each class, by class (classifiers)
    random_state : int, RandomState or Generator, default None
        the seed, in scikit-learn's words
    warm_start : bool, default False
        whether fit goes on where the fit before it ended, optimizer and all; the learning rate is constant then
        unless lr_schedule is given
    verbose : bool, int or 'tqdm', default False
        True: a line each epoch; 'tqdm': a bar
"""
