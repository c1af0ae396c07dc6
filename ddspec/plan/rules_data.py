"""Rules about data, budget and augmentation, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

DATA_RULES: tuple[Rule, ...] = (
    Rule(
        8,
        "More budget than data",
        "error",
        says="The smallest class has fewer training images than are needed to start from or to "
        "compare with; `init: mix` needs one for each cell of each image.",
        why="Images would repeat, and a baseline of as many real images would be the whole class: "
        "there is nothing left to distil.",
        mend="Lower `budget.images_per_class`, hold out less, or start from `noise` without "
        "baselines of real images.",
        wrong="budget: {images_per_class: 200}",
        right="budget: {images_per_class: 10}",
    ),
    Rule(
        9,
        "ImageNet's augmentation on other images",
        "error or note",
        says="`imagenet` augmentation of images that are not RGB (an error) or have fewer than 64 "
        "pixels a side (a note).",
        why="Its PCA noise is that of RGB photographs, and a random crop of half the area leaves "
        "next to nothing of a small image.",
        mend="Use `idc` or `dsa`.",
        wrong="augmentation:\n  training: {kind: imagenet}",
        right="augmentation:\n  training: {kind: idc, operations: [crop, rotate]}",
    ),
    Rule(
        11,
        "More cells than pixels",
        "error",
        says="`parameterization.factor` is larger than the side of the images.",
        why="Each image holds factor x factor patches, of one pixel at least.",
        mend="Lower the factor; IDC takes 2 for small images and 3 for ImageNet.",
        wrong="dataset: {kind: folder, path: photos, size: 4}\n"
        "network: {kind: convnet, depth: 1}\n"
        "parameterization: {kind: multi_formation, factor: 5}",
        right="dataset: {kind: folder, path: photos, size: 4}\n"
        "network: {kind: convnet, depth: 1}\n"
        "parameterization: {kind: multi_formation, factor: 2}",
    ),
    Rule(
        12,
        "Cells to fill, and none to be filled",
        "error",
        says="`init: mix` without multi-formation images.",
        why="`mix` puts a real image into each cell of an image; plain images have no cells.",
        mend="Use `init: {kind: real}`, or `parameterization: {kind: multi_formation}`.",
        wrong="init: {kind: mix}",
        right="init: {kind: mix}\nparameterization: {kind: multi_formation, factor: 2}",
    ),
    Rule(
        13,
        "Evaluation on images that nobody held out",
        "error",
        says="`evaluate.on: validation`, and `dataset.validation` is 0, or so little of each class "
        "that it is no whole image.",
        why="Settings are chosen on validation images, so that the test split stays untouched; "
        "there must be some.",
        mend="Hold out a part of the training split, for example 0.1 of each class.",
        wrong="dataset: {kind: digits, validation: 0.0}\nevaluate: {on: validation}",
        right="dataset: {kind: digits, validation: 0.1}\nevaluate: {on: validation}",
    ),
    Rule(
        17,
        "No test split, or two",
        "error",
        says="A folder without a `test` subfolder holds nothing out, or one with `test` has a "
        "`holdout` as well.",
        why="The test split is a folder of its own or a fixed part of each class; with both, it "
        "would not be clear which one the numbers are from.",
        mend="Give `test` and no holdout, or `test: null` and `holdout: 0.2`.",
        wrong="dataset: {kind: folder, path: photos, size: 32, test: null}",
        right="dataset: {kind: folder, path: photos, size: 32, test: null, holdout: 0.2}",
    ),
    Rule(
        19,
        "A class without a training image",
        "error",
        says="A class of the list has no images in the training split.",
        why="Nothing can be distilled for it.",
        mend="Take it from `dataset.classes`, or add its images and lock again.",
        wrong="dataset: {kind: folder, path: photos, size: 32, classes: [ant, bee]}",
        right="dataset: {kind: folder, path: photos, size: 32, classes: [ant, cat]}",
        images={"ant": 40, "cat": 40},
    ),
    Rule(
        23,
        "Mirrored digits",
        "note",
        says="An augmentation with `flip` on MNIST or digits.",
        why="A mirrored 2 is no 2. The official codes of DSA and IDC leave `flip` out for MNIST.",
        mend="Write the `operations` out without `flip`.",
        wrong="augmentation:\n  training: {kind: dsa}",
        right="augmentation:\n  training: {kind: dsa, operations: [crop, cutout, scale, rotate]}",
    ),
    Rule(
        45,
        "Only one class",
        "error",
        says="The dataset has one class.",
        why="Every network that is trained on one class is right about all of it at once: nothing "
        "is learned, and no accuracy means anything.",
        mend="Add a class to tell it from; folders of other images than its own will do.",
        wrong="dataset: {kind: folder, path: photos, size: 32, classes: [ant]}",
        right="dataset: {kind: folder, path: photos, size: 32, classes: [ant, bee]}",
        images={"ant": 40, "bee": 40},
    ),
)
