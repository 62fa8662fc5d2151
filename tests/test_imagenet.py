"""ImageNet is found and read in three layouts, and is the same data set in each."""

import io
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from identity_edu.data import imagenet
from identity_edu.data.imagenet.matlab import read_structs
from identity_edu.data.imagenet.sources import members_of

scipy_io = pytest.importorskip("scipy.io", reason="SciPy is not installed")

WNIDS = ("n01440764", "n02123045", "n03594945")
# Class numbers of the devkit follow another order than the WordNet ids.
NUMBER_OF = {"n01440764": 3, "n02123045": 1, "n03594945": 2}
TRAIN = {f"{w}_{i}": w for w in WNIDS for i in (10026, 218, 7)}
VAL = {
    f"ILSVRC2012_val_{i:08d}": WNIDS[k] for i, k in enumerate([2, 0, 1, 0, 2], start=1)
}


def picture(name):
    """Return an image's bytes, other ones for each name, of an odd size and kind."""
    seed = sum(name.encode())
    rng = np.random.default_rng(seed)
    size = tuple(int(s) for s in rng.integers(20, 60, 2))
    mode = ["RGB", "CMYK", "L", "RGB"][seed % 4]
    flat = Image.new("RGB", size, tuple(int(c) for c in rng.integers(0, 256, 3)))
    file = io.BytesIO()
    # One in five is a PNG that is called JPEG.
    flat.convert(mode).save(file, "PNG" if seed % 5 == 0 and mode != "CMYK" else "JPEG")
    return file.getvalue()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def tar_of(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            add(tar, name, content)
    return packed.getvalue()


def make_folders(root):
    for split, files in (("train", TRAIN), ("val", VAL)):
        for name, wnid in files.items():
            put(root / split / wnid / f"{name}.JPEG", picture(name))
    put(root / "train" / WNIDS[0] / ".DS_Store", b"no image")
    put(root / "val" / "notes.txt", b"no image")


def make_kaggle(root):
    images = root / "ILSVRC" / "Data" / "CLS-LOC"
    for name, wnid in TRAIN.items():
        put(images / "train" / wnid / f"{name}.JPEG", picture(name))
    for name in VAL:
        put(images / "val" / f"{name}.JPEG", picture(name))
    rows = [f"{name},{VAL[name]} 85 1 499 272 {VAL[name]} 1 2 3 4" for name in VAL]
    table = "\n".join(["ImageId,PredictionString", *reversed(rows), ""])
    put(root / "LOC_val_solution.csv", table.encode())


def synsets():
    """Return the devkit's struct array: the classes, then their ancestors."""
    fields = ["ILSVRC2012_ID", "WNID", "words", "num_children", "children"]
    rows = [(n, w, "tench, Tinca", 0, np.zeros((1, 0))) for w, n in NUMBER_OF.items()]
    rows += [(4, "n00001740", "entity", 3, np.array([[1.0, 2.0, 3.0]]))]
    array = np.zeros((len(rows), 1), [(field, object) for field in fields])
    for i, row in enumerate(sorted(rows, key=lambda row: row[0])):
        array[i, 0] = row
    return array


def devkit(compress=True):
    meta = io.BytesIO()
    variables = {"other": np.eye(2), "synsets": synsets()}
    scipy_io.savemat(meta, variables, do_compression=compress)
    truth = "".join(f"{NUMBER_OF[wnid]}\n" for wnid in VAL.values())
    return {
        "data/meta.mat": meta.getvalue(),
        "data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
    }


def make_tars(root):
    root.mkdir(exist_ok=True)
    inner = {
        f"{w}.tar": tar_of({f"{n}.JPEG": picture(n) for n in TRAIN if n.startswith(w)})
        for w in reversed(WNIDS)
    }
    (root / "ILSVRC2012_img_train.tar").write_bytes(tar_of(inner))
    val = {f"{name}.JPEG": picture(name) for name in reversed(VAL)}
    (root / "ILSVRC2012_img_val.tar").write_bytes(tar_of(val))
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        for name, content in devkit().items():
            add(tar, f"ILSVRC2012_devkit_t12/{name}", content)


MAKERS = {"folders": make_folders, "kaggle": make_kaggle, "tars": make_tars}
each_layout = pytest.mark.parametrize("layout", MAKERS)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    made = {}
    for layout, make in MAKERS.items():
        made[layout] = tmp_path_factory.mktemp(layout)
        make(made[layout])
    return made


# The same data set in each layout


@each_layout
def test_the_layout_is_recognised(roots, layout):
    assert imagenet.find_layout(roots[layout]) == layout


@each_layout
@pytest.mark.parametrize(("split", "files"), [("train", TRAIN), ("val", VAL)])
def test_images_and_labels_are_those_of_the_names_in_order(roots, layout, split, files):
    dataset = imagenet.open_imagenet(roots[layout], split)
    names = sorted(f"{name}.JPEG" for name in files)
    assert len(dataset) == len(names)
    assert dataset.class_names == WNIDS
    assert dataset.labels.dtype == np.int64
    for i, name in enumerate(names):
        stem = name.removesuffix(".JPEG")
        assert dataset.class_names[dataset.labels[i]] == files[stem]
        with Image.open(io.BytesIO(picture(stem))) as expected:
            expected = np.asarray(expected.convert("RGB"))
        image = dataset.image(i)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, expected)


def test_the_pictures_are_of_every_kind():
    kinds = set()
    for name in (*TRAIN, *VAL):
        with Image.open(io.BytesIO(picture(name))) as image:
            kinds.add((image.format, image.mode))
    assert {("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L")} <= kinds
    assert any(kind == "PNG" for kind, _ in kinds)


@each_layout
def test_no_file_is_moved_or_written(roots, layout):
    def listing():
        return {
            path: path.stat().st_mtime_ns for path in sorted(roots[layout].rglob("*"))
        }

    before = listing()
    for split in ("train", "val"):
        imagenet.open_imagenet(roots[layout], split).image(0)
    assert listing() == before


def test_the_devkit_may_be_unpacked(roots, tmp_path):
    shutil.copy(roots["tars"] / "ILSVRC2012_img_val.tar", tmp_path)
    for name, content in devkit(compress=False).items():
        put(tmp_path / "ILSVRC2012_devkit_t12" / name, content)
    expected = imagenet.open_imagenet(roots["tars"], "val")
    dataset = imagenet.open_imagenet(tmp_path, "val")
    np.testing.assert_array_equal(dataset.labels, expected.labels)


@pytest.mark.parametrize("layout", ["folders", "kaggle"])
def test_val_alone_is_enough(roots, tmp_path, layout):
    MAKERS[layout](tmp_path)
    for train in tmp_path.rglob("train"):
        shutil.rmtree(train)
    dataset = imagenet.open_imagenet(tmp_path, "val")
    assert dataset.class_names == WNIDS
    expected = imagenet.open_imagenet(roots[layout], "val")
    np.testing.assert_array_equal(dataset.labels, expected.labels)


# What is missing or wrong


def test_an_unknown_layout_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        imagenet.find_layout(tmp_path)
    for sign in (
        "train/ or val/ with a folder for each class",
        "ILSVRC/Data/CLS-LOC/ beside LOC_val_solution.csv",
        "ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar",
        "ILSVRC2012_devkit_t12.tar.gz",
    ):
        assert sign in str(caught.value)


def test_another_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="split must be one of train, val; got 'test'"):
        imagenet.open_imagenet(tmp_path, "test")


@pytest.mark.parametrize(
    ("layout", "split", "gone", "message"),
    [
        ("folders", "val", ["val"], "val holds no images in class folders"),
        ("folders", "train", ["train"], "train holds no images in class folders"),
        ("kaggle", "val", ["LOC_val_solution.csv"], "LOC_val_solution.csv; one of"),
        ("tars", "train", ["ILSVRC2012_img_train.tar"], "img_train.tar is missing"),
        ("tars", "val", ["ILSVRC2012_img_val.tar"], "img_val.tar is missing"),
        ("tars", "val", ["ILSVRC2012_devkit_t12.tar.gz"], "t12.tar.gz is missing"),
    ],
)
def test_a_missing_part_is_named(tmp_path, layout, split, gone, message):
    MAKERS[layout](tmp_path)
    for name in gone:
        path = tmp_path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FileNotFoundError, match=message):
        imagenet.open_imagenet(tmp_path, split)


def test_a_class_that_train_has_not_is_named(tmp_path):
    make_folders(tmp_path)
    put(tmp_path / "val" / "n99999999" / "x.JPEG", picture("x"))
    with pytest.raises(
        ValueError, match=r"classes that train has not: \['n99999999'\]"
    ):
        imagenet.open_imagenet(tmp_path, "val")


def test_an_image_without_a_label_is_named(tmp_path):
    make_kaggle(tmp_path)
    put(tmp_path / "ILSVRC/Data/CLS-LOC/val/more.JPEG", picture("more"))
    with pytest.raises(ValueError, match=r"no label for 1, as more\.JPEG"):
        imagenet.open_imagenet(tmp_path, "val")


def test_labels_must_be_as_many_as_images(tmp_path):
    make_tars(tmp_path)
    files = {f"{name}.JPEG": picture(name) for name in list(VAL)[:-1]}
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(tar_of(files))
    with pytest.raises(ValueError, match="got 4 images, 5 labels of 3 classes"):
        imagenet.open_imagenet(tmp_path, "val")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_truncated_archive_is_named(tmp_path, split, share):
    make_tars(tmp_path)
    path = tmp_path / f"ILSVRC2012_img_{split}.tar"
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ValueError, match=f"img_{split}.tar is no complete tar archive"):
        imagenet.open_imagenet(tmp_path, split)


def test_an_archive_with_a_damaged_header_is_named(tmp_path):
    make_tars(tmp_path)
    path = tmp_path / "ILSVRC2012_img_train.tar"
    raw = bytearray(path.read_bytes())
    second = raw.index(b"n02123045.tar")
    raw[second : second + 4] = b"m999"  # the header's checksum is wrong now
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="no complete tar archive: it has no end mark"):
        imagenet.open_imagenet(tmp_path, "train")


def test_an_archive_of_something_else_is_named(tmp_path):
    put(tmp_path / "ILSVRC2012_img_train.tar", b"<html>" * 1000)
    with pytest.raises(ValueError, match=r"img_train.tar is no complete tar archive"):
        imagenet.open_imagenet(tmp_path, "train")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (b"text", "must be a MATLAB 5 file"),
        (devkit()["data/meta.mat"][:400], "it is damaged|ends early"),
        (devkit(compress=False)["data/meta.mat"][:900], "it is damaged|ends early"),
    ],
)
def test_a_damaged_devkit_is_named(tmp_path, meta, message):
    make_tars(tmp_path)
    for name, content in devkit().items():
        put(tmp_path / "ILSVRC2012_devkit_t12" / name, content)
    put(tmp_path / "ILSVRC2012_devkit_t12" / "data" / "meta.mat", meta)
    with pytest.raises(ValueError, match=f"ILSVRC2012_devkit_t12: .*({message})"):
        imagenet.open_imagenet(tmp_path, "val")


def test_an_archive_that_is_no_devkit_is_named(tmp_path):
    make_tars(tmp_path)
    with tarfile.open(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        add(tar, "readme.txt", b"")
    with pytest.raises(ValueError, match=r"devkit_t12.tar.gz lacks .*meta\.mat"):
        imagenet.open_imagenet(tmp_path, "val")


@pytest.mark.parametrize("content", [b"", b"no image", picture("a")[:100]])
@each_layout
def test_an_image_that_cannot_be_decoded_is_named(tmp_path, layout, content):
    make = {f"{name}.JPEG": content for name in VAL}
    if layout == "tars":
        make_tars(tmp_path)
        (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(tar_of(make))
        place = "ILSVRC2012_img_val.tar, [0-9]+ bytes from 512"
    else:
        MAKERS[layout](tmp_path)
        path = next(tmp_path.rglob("ILSVRC2012_val_00000001.JPEG"))
        path.write_bytes(content)
        place = "ILSVRC2012_val_00000001.JPEG"
    dataset = imagenet.open_imagenet(tmp_path, "val")
    with pytest.raises(ValueError, match=f"{place} cannot be decoded"):
        dataset.image(0)


# Archives in archives, and MATLAB's files


def test_members_are_stretches_of_the_file(tmp_path):
    inner = tar_of({"a.JPEG": b"first", "folder/b.JPEG": b"second"})
    path = tmp_path / "outer.tar"
    path.write_bytes(tar_of({"x.tar": inner, "y": b"other"}))
    raw = path.read_bytes()
    (name, start, size), other = members_of(path)
    assert (name, raw[start : start + size]) == ("x.tar", inner)
    assert other[0] == "y"
    found = {
        n: raw[at : at + k] for n, at, k in members_of(path, start=start, size=size)
    }
    assert found == {"a.JPEG": b"first", "folder/b.JPEG": b"second"}


@pytest.mark.parametrize("compress", [True, False])
def test_structs_are_what_scipy_reads(compress):
    content = devkit(compress)["data/meta.mat"]
    expected = scipy_io.loadmat(io.BytesIO(content), squeeze_me=True)["synsets"]
    ours = read_structs(content, "synsets")
    assert len(ours) == len(expected) == 4
    for mine, theirs in zip(ours, expected, strict=True):
        assert list(mine) == list(expected.dtype.names)
        for field, value in mine.items():
            if isinstance(value, str):
                assert value == theirs[field]
            else:
                np.testing.assert_array_equal(value, np.atleast_1d(theirs[field]))


@pytest.mark.parametrize("text", ["", "a", "dog", "café", "x" * 300])
@pytest.mark.parametrize(
    "number", [np.uint8(7), np.int16(-3), np.float32(0.5), np.array([[1.0, 2.0]])]
)
def test_text_and_numbers_of_every_size_are_read(text, number):
    file, cell = io.BytesIO(), np.array([["anything"]], object)
    scipy_io.savemat(file, {"s": {"text": text, "number": number, "cell": cell}})
    (found,) = read_structs(file.getvalue(), "s")
    assert found["text"] == text
    np.testing.assert_array_equal(found["number"], np.ravel(number))


def test_another_variable_is_refused():
    content = devkit()["data/meta.mat"]
    for name in ("absent", "other"):
        with pytest.raises(ValueError, match=f"must have a struct array {name}"):
            read_structs(content, name)


# Crops and batches


def gradient(height, width):
    """Return an image whose red is its row and whose green is its column."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    return image


def test_the_central_crop_of_256_pixels_is_the_middle_224():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (256, 256, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        imagenet.center_crop(image, 224), image[16:240, 16:240]
    )


@pytest.mark.parametrize(("height", "width"), [(160, 96), (96, 160), (64, 64)])
def test_the_central_crop_is_in_the_middle(height, width):
    crop = imagenet.center_crop(gradient(height, width), 28).astype(float)
    middle = crop.mean(axis=(0, 1))
    assert abs(middle[0] - (height - 1) / 2) <= 1.0  # levels are rounded
    assert abs(middle[1] - (width - 1) / 2) <= 1.0
    side = min(height, width) * 7 / 8
    span = (crop[-1, 0, 0] - crop[0, 0, 0]) * 28 / 27
    assert abs(span - side) <= 2.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (333, 500), (500, 333), (3000, 2)])
def test_crops_have_the_size_asked_for(rng, shape):
    image = gradient(*(min(s, 255) for s in shape))
    for crop in (
        imagenet.center_crop(image, 24),
        imagenet.resized_crop(image, 24, rng),
    ):
        assert crop.shape == (24, 24, 3)
        assert crop.dtype == np.uint8


@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 375), (64, 64)])
def test_random_boxes_have_the_promised_areas_and_shapes(rng, height, width):
    boxes = np.array([imagenet.random_box(height, width, rng) for _ in range(2000)])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= width).all()
    assert (bottom <= height).all()
    w, h = right - left, bottom - top
    share = w * h / (height * width)
    # Sides are whole pixels: at 18 and more of them, 6 percent covers the rounding.
    assert 0.08 * 0.94 <= share.min() <= 0.1
    assert 0.9 <= share.max() <= 1.0
    ratio = w / h
    assert 0.75 * 0.94 <= ratio.min() <= 0.8
    assert 1.25 <= ratio.max() <= 4 / 3 * 1.06
    assert left.min() == 0
    assert right.max() == width


@pytest.mark.parametrize(
    ("shape", "box"), [((10, 1000), (493, 0, 506, 10)), ((1000, 10), (0, 493, 10, 506))]
)
def test_a_strip_gets_its_largest_central_box(shape, box):
    """No box of 8 % of such a strip has an allowed shape."""
    assert imagenet.random_box(*shape, np.random.default_rng(0)) == box


@each_layout
def test_batches_cover_the_order_given(roots, layout):
    dataset = imagenet.open_imagenet(roots[layout], "val")
    order = np.array([4, 0, 3, 2, 1])
    found = list(imagenet.batches(dataset, order, batch_size=2, size=16))
    assert [len(x) for x, _ in found] == [2, 2, 1]
    x, labels = (np.concatenate(part) for part in zip(*found, strict=True))
    assert x.shape == (5, 16, 16, 3)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(labels, dataset.labels[order])
    for image, i in zip(x, order, strict=True):
        np.testing.assert_array_equal(image, imagenet.center_crop(dataset.image(i), 16))


def test_a_batch_has_the_nets_size_by_default(roots):
    dataset = imagenet.open_imagenet(roots["folders"], "train")
    x, _ = next(imagenet.batches(dataset, np.arange(2), batch_size=2))
    assert x.shape == (2, 224, 224, 3)


class Gradients:
    """A data set of one image, many times."""

    labels = np.arange(40)

    def image(self, i):
        return gradient(100, 100)


def test_training_batches_depend_on_the_generator_and_not_on_the_threads():
    def draw(seed, n_threads):
        options = {"batch_size": 16, "size": 8, "n_threads": n_threads}
        rng = np.random.default_rng(seed)
        found = imagenet.batches(Gradients(), np.arange(40), rng=rng, **options)
        return np.concatenate([x for x, _ in found])

    x = draw(1, 1)
    np.testing.assert_array_equal(draw(1, 4), x)
    assert not np.array_equal(draw(2, 1), x)
    assert len(np.unique(x.reshape(40, -1), axis=0)) == 40  # each drawn on its own
    is_mirrored = x[:, 0, 0, 1] > x[:, 0, -1, 1]
    assert 8 <= is_mirrored.sum() <= 32  # 20 expected, deviation 3.2


def test_no_batch_size_is_refused(roots):
    dataset = imagenet.open_imagenet(roots["folders"], "val")
    with pytest.raises(ValueError, match="batch_size must be at least 1; got 0"):
        next(imagenet.batches(dataset, [0], batch_size=0))
