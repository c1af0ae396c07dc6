"""What fields mean whose name means the same wherever it stands, for the hover texts of editors.

A field that means something of its own has its text below it in its model; that one counts.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # the root
    "name": "Short name: of the results folder, of tables and reports.",
    "title": "One line for people; no part of any identity.",
    "seed": "Every draw of the experiment follows from it.",
    "dataset": "What is distilled.",
    "budget": "How much is distilled.",
    "network": "The network that images are matched on and, by default, judged with.",
    "pool": "Where the networks come from that each outer loop starts with.",
    "perturbation": "How a network of the pool is varied before it is used.",
    "inner": "How networks move within an outer loop.",
    "matcher": "What is compared between real and synthetic images.",
    "augmentation": "How images are varied; a list has one policy a member of the pool, cycling.",
    "parameterization": "What is learned, and in which space.",
    "init": "Where the synthetic images start.",
    "update": "How the synthetic images move.",
    "loops": "How long distillation lasts.",
    "precision": "Numbers that stages compute in; inside the identity of their outputs.",
    "evaluate": "How good the set is.",
    "resources": "How the work is laid out; no part of any identity.",
    "expect": "Published numbers that this spec is to reproduce, shown beside the measured ones.",
    # datasets
    "path": "Folder under the data directory; a location, so no part of the identity.",
    "train": "Subfolder of `path` with the training split, one folder a class.",
    "test": "Subfolder of `path` with the test split, one folder a class.",
    "size": "Side in pixels: the short side is resized to it, the centre kept.",
    "channels": "1 is grey, 3 is RGB, 4 has transparency too.",
    "validation": "Fraction of each class of the training split that is held out for choices.",
    "images_per_class": "Synthetic images of each class.",
    # networks
    "depth": "Number of blocks; a ConvNet halves the image in each.",
    "width": "Channels of every block.",
    "norm": "Normalisation; matching class by class needs one that looks at single images.",
    "model": "Name of the architecture in torchvision.",
    # training
    "models": "How many networks.",
    "epochs": "Passes over the training images.",
    "steps": "Mini-batches instead of epochs; exactly one of the two is given.",
    "batch": "Images of a mini-batch.",
    "optimizer": "How networks are trained.",
    "decay": "When the learning rate falls, and by how much.",
    "vary": "How members differ besides their seed.",
    "learning_rate": "Step size; a list gives each member of the pool its own, cycling.",
    "momentum": "Share of the last step that is kept.",
    "weight_decay": "Strength of the pull of weights to zero (L2).",
    "factor": "Multiplies the learning rate at each decay; for images, the cells of a side.",
    "at": "When the rate falls, as fractions of the whole training.",
    "cutmix": "Probability that a training batch is mixed by CutMix, box by Beta(1, 1).",
    "betas": "Decay of the first and of the second moment.",
    "warmup": "Raises the rate linearly before the schedule begins; by default there is none.",
    "every": "Distance of one from the next, in epochs or outer loops.",
    "most": "The oldest leaves when there would be more.",
    # augmentation
    "operations": "Which operations there are; those left out never act.",
    "scale": "Each axis is scaled by itself, by a factor in [1 / scale, scale].",
    "rotate": "Largest angle, in degrees.",
    "crop": "Largest shift, as a fraction of the image side; of `dc`, in pixels.",
    "cutout": "Side of the erased square, as a fraction of the image side.",
    "brightness": "Strength of the change in brightness.",
    "saturation": "Strength of the change in saturation.",
    "contrast": "Strength of the change in contrast.",
    "flip": "Mirror an image with probability one half.",
    # matching
    "weight": "Weight of the term in the loss.",
    "classes_per_batch": "Classes of a batch; it holds one image of each.",
    "batch_norm": "Weight of the distance to the statistics that the networks keep.",
    "cross_entropy": "Weight of the classification loss.",
    # perturbation
    "directions": "How many random directions are added.",
    "coefficient": "How far the network moves along a direction, in norms of each filter.",
    "value": "The coefficient.",
    "low": "Smallest magnitude.",
    "high": "Largest magnitude.",
    # images
    "space": "`pixel` is [0, 1]; `normalised` is after subtracting mean, dividing by deviation.",
    "scaling": "`idc` multiplies the rate by (images per class / 10) x (size / base size)^2.",
    "clock": "Which images a step moves: those of one class, or all at once.",
    "clamp": "When values are clamped to what images may be.",
    "averaging": "Decay of a moving average over outer loops, which is the set then.",
    "outer_loops": "How often a network is picked from the pool.",
    "inner_steps": "Matching steps after each pick.",
    # evaluation
    "repeats": "Networks trained on the set, by seed; the table says mean and deviation.",
    "baselines": "Sets that the distilled one is compared with.",
    "source": "Where the number is printed: paper, table, row.",
}
