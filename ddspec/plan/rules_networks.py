"""Rules about networks, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_CUT = (
    "inner: {kind: frozen}\n"
    "matcher: {kind: statistics}\n"
    "update: {learning_rate: 0.1, clock: joint}\n"
    "loops: {outer_loops: 40, inner_steps: 1}\n"
    "pool: {kind: pruned, converged: {kind: trained, epochs: 2}, "
)
_SMALL = "network: {kind: convnet, depth: 2, width: 32, norm: batch}"

NETWORK_RULES: tuple[Rule, ...] = (
    Rule(
        3,
        "The network halves the image until nothing is left",
        "error",
        says="A ConvNet halves the side of the image once in every block; after `depth` of them "
        "less than one pixel is left.",
        why="The last layer would get no features. The papers keep 4 pixels: depth 3 at 32, 4 at "
        "64, 5 at 128.",
        mend="Lower `depth`, or raise `dataset.size`.",
        wrong="dataset: {kind: digits}\nnetwork: {kind: convnet, depth: 5}",
        right="dataset: {kind: digits}\nnetwork: {kind: convnet, depth: 2}",
    ),
    Rule(
        4,
        "Batch norm under gradient matching",
        "error",
        says="Gradients are matched class by class on a network with batch norm, and "
        "`matcher.batch_norm` is not set.",
        why="A batch of matching holds one class only, so its statistics are that class's and not "
        "the data's: the gradients are those of another network than the one that is trained.",
        mend="Match on `norm: instance`, as the papers do, or say which statistics are meant: "
        "`matcher.batch_norm: frozen` sets them by real images, as DC's code does, `batch` takes "
        "those of each batch. Networks that only judge may have batch norm: list them under "
        "`evaluate.networks`.",
        wrong="network: {kind: convnet, depth: 2, norm: batch}",
        right="network: {kind: convnet, depth: 2, norm: instance}\n"
        "evaluate:\n  networks: [{kind: convnet, depth: 2, norm: batch}]",
    ),
    Rule(
        5,
        "A network that can only judge",
        "error",
        says="A network of torchvision is to be matched.",
        why="It has batch norm (see DDS004) and max pooling, whose second derivatives matching "
        "would need.",
        mend="Match on `convnet`, `resnet_ap` or `classic`, and list it under `evaluate.networks`.",
        wrong="dataset: {kind: cifar10}\nnetwork: {kind: torchvision, model: resnet18}",
        right="dataset: {kind: cifar10}\nnetwork: {kind: convnet, depth: 3}\n"
        "evaluate:\n  networks: [{kind: torchvision, model: resnet18}]",
    ),
    Rule(
        6,
        "The stem of ResNetAP does not fit the images",
        "error or note",
        says="The stem shrinks the image so far that the last maps have less than 2 pixels a side "
        "(an error), or it is another one than IDC takes for images of this size (a note).",
        why="`large` divides the side by 4 before three more halvings, `mid` by 2, `small` by 1. "
        "IDC takes `large` above 128 pixels, `mid` from 65 to 128, `small` to 64.",
        mend="Take the stem for the size of the images.",
        wrong="dataset: {kind: cifar10}\nnetwork: {kind: resnet_ap, stem: large}",
        right="dataset: {kind: cifar10}\nnetwork: {kind: resnet_ap, stem: small}",
    ),
    Rule(
        7,
        "A network on images it was not made for",
        "error",
        says="For a network of torchvision, the images have another number of channels than 3, or "
        "fewer than 32 pixels a side; for a classic one, so few that its poolings leave no map.",
        why="Networks of torchvision take RGB and halve the side five times; classic ones halve it "
        "up to five times.",
        mend="Judge with a `convnet`, or raise `dataset.size`.",
        wrong="evaluate:\n  networks: [{kind: torchvision, model: resnet18}]",
        right="evaluate:\n  networks: [{kind: convnet, depth: 2, width: 64}]",
    ),
    Rule(
        18,
        "A network that judges twice",
        "error",
        says="Two entries of `evaluate.networks` are the same network.",
        why="Both would be the same stages, counted twice.",
        mend="Raise `evaluate.repeats` for more networks of one kind.",
        wrong="evaluate:\n  networks:\n    - {kind: convnet, depth: 2}\n"
        "    - {kind: convnet, depth: 2}",
        right="evaluate:\n  networks: [{kind: convnet, depth: 2}]\n  repeats: 10",
    ),
    Rule(
        20,
        "Group norm that does not divide the channels",
        "error",
        says="`norm: group` makes 4 groups, and `width` is no multiple of 4.",
        why="Groups have the same number of channels each.",
        mend="Take a multiple of 4.",
        wrong="network: {kind: convnet, depth: 2, width: 30, norm: group}",
        right="network: {kind: convnet, depth: 2, width: 32, norm: group}",
    ),
    Rule(
        60,
        "Kernels of a network that has none",
        "error",
        says="`matcher.parameters: kernels` on an MLP.",
        why="An MLP has linear layers only; there would be nothing to compare.",
        mend="Match `matrices` or `all`, or take another network.",
        wrong="network: {kind: classic, model: mlp}\nmatcher: {parameters: kernels}",
        right="network: {kind: classic, model: mlp}\nmatcher: {parameters: matrices}",
    ),
    Rule(
        65,
        "Channels that cannot be cut one by one",
        "error",
        says="A `pruned` pool, of a network that convolves channels in groups (MobileNetV2, "
        "ShuffleNetV2, EfficientNet) or has `group` or `layer` norm.",
        why="Its layers take several channels at once, in numbers that they were built for.",
        mend="Cut a ResNet, a VGG or a ConvNet with batch norm.",
        wrong=_CUT + "parameters: 9000}\n" + _SMALL.replace("batch", "layer"),
        right=_CUT + "parameters: 9000}\n" + _SMALL,
    ),
    Rule(
        66,
        "Targets that a whole network meets",
        "note",
        says="A `pruned` pool, and the network has no more operations and parameters than the "
        "targets leave.",
        why="Nothing is cut then, and networks that are not trained on are copies of one.",
        mend="Lower `pool.flops` or `pool.parameters`. Teddy leaves two thirds of a ResNet-18.",
        wrong=_CUT + "parameters: 9000000}\n" + _SMALL,
        right=_CUT + "parameters: 9000}\n" + _SMALL,
    ),
    Rule(
        73,
        "Targets that no cut network meets",
        "error",
        says="`pool.flops` or `pool.parameters` is less than what is left of the network with one "
        "channel in every layer.",
        why="No layer can lose its last channel, so the cut would fail, after the converged "
        "network was trained.",
        mend="Raise the target. It is a number of operations or parameters, not a share of them.",
        wrong=_CUT + "flops: 0.5}\n" + _SMALL,
        right=_CUT + "flops: 90000}\n" + _SMALL,
    ),
)
