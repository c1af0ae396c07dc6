"""Rules about how the pieces of a method fit together, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_DM = "inner: {kind: frozen}\nmatcher: {kind: distribution}\n"
_JOINT = "update: {learning_rate: 0.1, clock: joint}\n"
_EXPERTS = (
    "inner: {kind: unrolled, steps: 5, learning_rate: 0.01}\n"
    "matcher: {kind: trajectory, expert_epochs: 2, max_start: 3}\n"
    "update: {learning_rate: 100.0, clock: joint}\n"
    "loops: {outer_loops: 40, inner_steps: 1}\n"
)
_RECORDED = "pool: {kind: recorded, models: 3, epochs: 10, record: every_epoch}\n"
_STATISTICS = (
    "inner: {kind: frozen}\n"
    "matcher: {kind: statistics}\n"
    "update: {learning_rate: 0.1, clock: joint}\n"
    "loops: {outer_loops: 40, inner_steps: 1}\n"
)
_WHITENED = (
    "parameterization: {kind: pixels, space: zca}\n"
    "evaluate:\n  protocol: {name: whitened, steps: 100, zca: 0.1}\n"
)
_PHOTOS = "dataset: {kind: folder, path: photos, size: 32, test: null, holdout: 0.2}\n"
_BATCH_NORM = "network: {kind: convnet, depth: 2, width: 32, norm: batch}\n"

FAMILY_RULES: tuple[Rule, ...] = (
    Rule(
        24,
        "Class shards that would not be exact",
        "error",
        says="`resources.shards` is above 1 where images of one class depend on those of another: "
        "under trajectory matching, under batch norm over all classes, where networks are trained "
        "on the synthetic set, or where a shard would cut a batch of `statistics` matching.",
        why="Shards exist to end with the very set that one job would have learned. Each learns "
        "its classes without seeing the others.",
        mend="Leave `shards` at 1. Shards of `statistics` matching may begin where a batch does.",
        wrong=_DM + _JOINT + _BATCH_NORM + "resources: {shards: 5}",
        right=_DM + _JOINT + "resources: {shards: 5}",
    ),
    Rule(
        25,
        "Statistics of a network that keeps none",
        "error",
        says="`statistics` matching with a network that has no batch norm.",
        why="What is matched are the means and variances that batch norms remember from training; "
        "instance and group norm remember nothing.",
        mend="Take `norm: batch`, or a ResNet of torchvision.",
        wrong=_STATISTICS + "network: {kind: convnet, depth: 2, width: 32, norm: instance}",
        right=_STATISTICS + _BATCH_NORM,
    ),
    Rule(
        28,
        "An inner loop that the matcher cannot use",
        "error",
        says="`inner.kind` moves networks in a way that `matcher.kind` has no use for: trajectory "
        "matching needs `unrolled`, statistics need networks as they were trained.",
        why="`unrolled` is the student of trajectory matching and means nothing elsewhere; a "
        "network that is trained on the set forgets the statistics that are to be matched.",
        mend="Take one of the kinds that the message lists.",
        wrong=_STATISTICS.replace("{kind: frozen}", "{kind: on_synthetic, epochs: 5}")
        + _BATCH_NORM,
        right=_STATISTICS + _BATCH_NORM,
    ),
    Rule(
        29,
        "No trajectories to follow",
        "error",
        says="Trajectory matching with a pool that has not recorded every epoch from 0 to "
        "`max_start` - 1 + `expert_epochs`.",
        why="A student starts where an expert was after some epoch, and is compared with where the "
        "expert was `expert_epochs` later.",
        mend="Use a `recorded` pool with `record: every_epoch` and enough `epochs`.",
        wrong=_EXPERTS + "pool: {kind: recorded, models: 3, epochs: 10}",
        right=_EXPERTS + _RECORDED,
    ),
    Rule(
        33,
        "A stem that the architecture does not have",
        "error",
        says="`stem: cifar` stands at an architecture of torchvision that is no ResNet.",
        why="Only for ResNets is it published what replaces the first layers on small images.",
        mend="Leave `stem` out, or take a ResNet.",
        wrong="dataset: {kind: cifar10}\n"
        "evaluate:\n  networks: [{kind: torchvision, model: densenet121, stem: cifar}]",
        right="dataset: {kind: cifar10}\n"
        "evaluate:\n  networks: [{kind: torchvision, model: resnet50, stem: cifar}]",
    ),
    Rule(
        34,
        "Statistics of networks that were never trained, or too many of them",
        "error",
        says="`statistics` matching with a pool of random networks, or with more "
        "`models_per_image` than the pool has.",
        why="A batch norm that has seen no data remembers zeros and ones.",
        mend="Record networks after some epochs, and as many as an image needs.",
        wrong=_STATISTICS + _BATCH_NORM + "pool: {kind: recorded, models: 3, epochs: 0}",
        right=_STATISTICS + _BATCH_NORM + "pool: {kind: recorded, models: 3, epochs: 5}",
    ),
    Rule(
        35,
        "Networks recorded outside of training",
        "error",
        says="`pool.record` names no epoch, or one after the last.",
        why="A run ends after `pool.epochs`; what comes later was never computed.",
        mend="Keep `first` and `last` within `epochs`.",
        wrong="pool: {kind: recorded, models: 1, epochs: 10, record: {every: 5, last: 20}}",
        right="pool: {kind: recorded, models: 1, epochs: 20, record: {every: 5, last: 20}}",
    ),
    Rule(
        37,
        "A clock of classes for images that move at once",
        "error",
        says="`update.clock` is `shared` where the matcher moves the images of several classes in "
        "one update.",
        why="A shared clock is that of IDC, whose optimiser ticks once after each class; where "
        "there is one loss for all of them there is one tick.",
        mend="Use `clock: joint`.",
        wrong=_EXPERTS.replace("joint", "shared") + _RECORDED,
        right=_EXPERTS + _RECORDED,
    ),
    Rule(
        38,
        "Inner steps of trajectories",
        "error",
        says="`loops.inner_steps` is above 1 under trajectory matching.",
        why="There is one update of the images in an outer loop, after the student's last step.",
        mend="Use `inner_steps: 1`, and `inner.steps` for the student.",
        wrong=_EXPERTS.replace("inner_steps: 1", "inner_steps: 10") + _RECORDED,
        right=_EXPERTS + _RECORDED,
    ),
    Rule(
        39,
        "Weights that nobody publishes",
        "error",
        says="Weights of torchvision are asked for where `network` is none of its architectures as "
        "it stands, or where the dataset has another number of classes than 1,000.",
        why="Published weights fit one architecture with one classifier.",
        mend="Train the network here, or give the file of your own weights and its SHA-256.",
        wrong="pool: {kind: checkpoints, weights: [{kind: torchvision}]}",
        right="pool:\n  kind: checkpoints\n  weights:\n    - kind: file\n      path: mine.pth\n"
        f"      sha256: {'0123456789abcdef' * 4}",
    ),
    Rule(
        40,
        "Labels of an expert that nobody follows",
        "error",
        says="`labels: {kind: expert}` without trajectory matching.",
        why="They are what the expert says whose trajectory the student follows.",
        mend="Use `kind: soft` for the labels of trained networks, or leave `labels` out.",
        wrong="labels: {kind: expert}",
        right="labels: {kind: hard}",
    ),
    Rule(
        41,
        "Whitened images that are clamped",
        "error",
        says="`update.clamp` is not `none` in ZCA space.",
        why="[0, 1] is a range of each pixel. A whitened value is a mixture of all pixels of an "
        "image and has no bounds of its own.",
        mend="Use `clamp: none`; images are clamped when they are exported.",
        wrong=_WHITENED + "update: {learning_rate: 0.1, clamp: every_step}",
        right=_WHITENED + "update: {learning_rate: 0.1, clamp: none}",
    ),
    Rule(
        42,
        "Whitening of images that are not whitened",
        "error",
        says="`parameterization.zca_eps` stands where `space` is not `zca`.",
        why="It would change nothing, and who wrote it expects something of it.",
        mend="Use `space: zca`, or leave `zca_eps` out.",
        wrong="parameterization: {kind: pixels, space: normalised, zca_eps: 0.1}",
        right="parameterization: {kind: pixels, space: normalised}",
    ),
    Rule(
        44,
        "A term weighted by an accuracy that nobody measures",
        "error",
        says="`matcher.cross_entropy.by_accuracy` without an `online` pool.",
        why="IDM weighs the term by how well a network does on the real batches that it is "
        "trained on; other networks are not trained along the way.",
        mend="Use `by_accuracy: false`, or an `online` pool.",
        wrong=_DM.replace("distribution", "distribution, cross_entropy: {weight: 0.5}"),
        right=_DM.replace(
            "distribution", "distribution, cross_entropy: {weight: 0.5, by_accuracy: false}"
        ),
    ),
    Rule(
        48,
        "Colours of whitened images",
        "error",
        says="`imagenet` augmentation, or `pad_crop` with `fill: black`, acts while images are "
        "learned in ZCA space.",
        why="It works out brightness, contrast, grey and lighting of pixel values, or puts black "
        "ones in. A whitened value is a mixture of all pixels of an image.",
        mend="Use `kind: dsa`, whose operations take any values, as MTT does, or `kind: idc`.",
        wrong=_PHOTOS + _WHITENED + "augmentation: {matching: {kind: imagenet}}",
        right=_PHOTOS + _WHITENED + "augmentation: {matching: {kind: dsa}}",
        images={"cat": 40, "dog": 40},
    ),
    Rule(
        49,
        "Images too large to be whitened",
        "error",
        says="`parameterization.space` is `zca`, and an image has more than 4,096 numbers.",
        why="Whitening needs the covariance of every number with every other, and its "
        "eigenvectors: 128 MB and a minute each at 4,096 numbers, 64 times as long at 16,384.",
        mend="Use `space: normalised`, or smaller images; MTT whitens images of 32 pixels.",
        wrong=_PHOTOS.replace("32", "64") + _WHITENED,
        right=_PHOTOS + _WHITENED,
        images={"cat": 40, "dog": 40},
    ),
    Rule(
        67,
        "Networks that nothing looks at",
        "error",
        says="A pool that is trained, a perturbation or an inner loop stands beside `features: "
        "pixels`.",
        why="Pixels are compared as they are. Whoever asks for networks expects something of them, "
        "and training some takes hours.",
        mend="Use a `fresh` pool, which is not even drawn then, `perturbation: {kind: none}` and "
        "`inner: {kind: frozen}`; or `features: embedding`.",
        wrong=_DM.replace("distribution", "distribution, features: pixels"),
        right=_DM.replace("distribution", "distribution, features: pixels")
        + "pool: {kind: fresh}\n",
    ),
    Rule(
        68,
        "The loss of a network on pixels that none sees",
        "error",
        says="`matcher.cross_entropy` stands beside `features: pixels`.",
        why="The term is what a network loses on the synthetic images, and here there is none.",
        mend="Leave the term out, or use `features: embedding`.",
        wrong=_DM.replace(
            "distribution",
            "distribution, features: pixels, cross_entropy: {weight: 1.0, by_accuracy: false}",
        )
        + "pool: {kind: fresh}\n",
        right=_DM.replace(
            "distribution", "distribution, cross_entropy: {weight: 1.0, by_accuracy: false}"
        )
        + "pool: {kind: fresh}\n",
    ),
    Rule(
        69,
        "More networks of images than a plan can list",
        "error",
        says="Under statistics matching `images_per_class` times `models_per_image` is above "
        "100,000.",
        why="Each of them is drawn when a plan is made, as a row of its schedule.",
        mend="Take fewer images a class, or fewer networks an image.",
        wrong=_STATISTICS + _BATCH_NORM + "pool: {kind: recorded, models: 3, epochs: 5}\n"
        "budget: {images_per_class: 100001}",
        right=_STATISTICS + _BATCH_NORM + "pool: {kind: recorded, models: 3, epochs: 5}\n"
        "budget: {images_per_class: 10}",
    ),
)
