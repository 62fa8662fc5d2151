"""CIFAR's files are read whole, without trust, and written as their authors did."""

import hashlib
import pickle
import pickletools
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from identity_edu.data import cifar
from identity_edu.data.cifar import pickles

NAMES = pytest.mark.parametrize("name", ["cifar10", "cifar100"])
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
COARSE_CLASSES = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables
household_electrical_devices household_furniture insects large_carnivores
large_man-made_outdoor_things large_natural_outdoor_scenes
large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles
small_mammals trees vehicles_1 vehicles_2
"""
FINE_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach
couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
turtle wardrobe whale willow_tree wolf woman worm
"""


def small(name="cifar10", n_train=23, n_test=7):
    return cifar.generated_images(np.random.default_rng(5), name, n_train, n_test)


def byte_names(text):
    return [name.encode() for name in text.split()]


def assert_same(first, second):
    for field in ("x_train", "labels_train", "x_test", "labels_test"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
        assert getattr(first, field).dtype == getattr(second, field).dtype
    assert first.class_names == second.class_names


# The format


@pytest.mark.parametrize(
    ("content", "md5"),
    [
        (
            {
                b"num_cases_per_batch": 10000,
                b"label_names": byte_names(CLASSES),
                b"num_vis": 3072,
            },
            "5ff9c542aee3614f3951f8cda6e48888",
        ),
        (
            {
                b"fine_label_names": byte_names(FINE_CLASSES),
                b"coarse_label_names": byte_names(COARSE_CLASSES),
            },
            "7973b15100ade9c7d40fb424638fde48",
        ),
    ],
    ids=["cifar10", "cifar100"],
)
def test_the_writer_gives_the_official_files_of_class_names_to_the_byte(content, md5):
    digest = hashlib.md5(pickles.dump(content), usedforsecurity=False).hexdigest()
    assert digest == md5


def test_the_official_class_names_are_written_as_in_the_official_file(tmp_path):
    # 50,000 images of nothing would take long to write: the number of cases differs.
    images = replace(small(), class_names=tuple(CLASSES.split()))
    folder = cifar.write_cifar(tmp_path, images, "cifar10")
    official = (folder / "batches.meta").read_bytes().replace(b"K\x05", b"M\x10'")
    digest = hashlib.md5(official, usedforsecurity=False).hexdigest()
    assert digest == "5ff9c542aee3614f3951f8cda6e48888"


@NAMES
def test_what_is_written_is_read_again(tmp_path, name):
    images = small(name, n_train=130, n_test=101)
    folder = cifar.write_cifar(tmp_path / "new" / "folder", images, name)
    assert_same(cifar.read_cifar(folder, name), images)
    assert_same(cifar.read_cifar(folder.parent, name), images)


@NAMES
def test_the_smallest_data_set_is_written_and_read(tmp_path, name):
    images = small(name, n_train=5, n_test=1)
    cifar.write_cifar(tmp_path, images, name)
    assert_same(cifar.read_cifar(tmp_path, name), images)


def test_an_ordinary_unpickler_reads_the_official_keys(tmp_path):
    images = small()
    folder = cifar.write_cifar(tmp_path, images, "cifar10")
    raw = (folder / "data_batch_2").read_bytes()
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in raw

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            import numpy._core.multiarray

            known = {
                "_reconstruct": numpy._core.multiarray._reconstruct,
                "ndarray": np.ndarray,
                "dtype": lambda code, align, copy: np.dtype(code),
            }
            return known[name]

    with open(folder / "data_batch_2", "rb") as file:
        content = Unpickler(file, encoding="bytes").load()
    keys = [b"batch_label", b"labels", b"data", b"filenames"]
    assert list(content) == keys
    assert content[b"batch_label"] == b"training batch 2 of 5"
    assert content[b"data"].shape == (5, 3072)
    assert content[b"data"].dtype == np.uint8
    # Rows 5 to 9 of the training images; all reds, then greens, then blues.
    planes = content[b"data"].reshape(5, 3, 32, 32)
    np.testing.assert_array_equal(planes[:, 2], images.x_train[5:10, :, :, 2])
    assert content[b"labels"] == images.labels_train[5:10].tolist()


def test_cifar100_has_its_official_keys_and_files(tmp_path):
    folder = cifar.write_cifar(tmp_path, small("cifar100"), "cifar100")
    assert sorted(p.name for p in folder.iterdir()) == ["meta", "test", "train"]
    content = pickles.load(folder / "train")
    assert set(content) == {
        *(b"filenames", b"batch_label", b"fine_labels", b"coarse_labels", b"data")
    }
    fine, coarse = content[b"fine_labels"], content[b"coarse_labels"]
    assert coarse == [label // 5 for label in fine]
    assert len(pickles.load(folder / "meta")[b"coarse_label_names"]) == 20


def test_lists_strings_and_numbers_of_every_size_survive(tmp_path):
    content = {
        b"lists": [[], [1], list(range(2500))],
        b"strings": [b"", b"a" * 255, b"b" * 256, b"\x00\xff"],
        b"numbers": [0, 255, 256, 65535, 65536, 2**31 - 1],
        b"many": [str(i).encode() for i in range(1500)],
        b"dict": {b"empty": {}},
    }
    path = tmp_path / "file"
    path.write_bytes(pickles.dump(content))
    assert pickles.load(path) == content
    operations = {
        operation.name for operation, *_ in pickletools.genops(path.read_bytes())
    }
    assert {"BINSTRING", "LONG_BINPUT", "BININT", "BININT2"} <= operations


@pytest.mark.parametrize("value", [1.0, "text", None, np.zeros(2)])
def test_the_writer_refuses_what_the_format_does_not_have(value):
    with pytest.raises(TypeError, match="CIFAR's files hold no"):
        pickles.dump({b"key": value})


def test_an_archive_has_the_official_layout(tmp_path):
    folder = cifar.write_cifar(tmp_path, small(), "cifar10")
    archive = cifar.pack_cifar(folder, tmp_path / "small.tar.gz")
    with tarfile.open(archive, "r:gz") as tar:
        names = set(tar.getnames())
    files = ["batches.meta", *[f"data_batch_{i}" for i in range(1, 6)], "test_batch"]
    assert names == {folder.name, *[f"{folder.name}/{file}" for file in files]}


# Generated images


@NAMES
def test_generated_images_have_every_class_evenly(name):
    images = small(name, n_train=300, n_test=200)
    n_classes = len(images.class_names)
    for x, labels in (
        (images.x_train, images.labels_train),
        (images.x_test, images.labels_test),
    ):
        assert x.shape == (len(labels), 32, 32, 3)
        assert x.dtype == np.uint8
        assert labels.dtype == np.int64
        counts = np.bincount(labels, minlength=n_classes)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(images.x_train[0], images.x_test[0])


def test_generated_images_can_be_told_apart():
    images = small(n_train=600, n_test=200)
    means = [images.x_train[images.labels_train == k].mean(axis=0) for k in range(10)]
    distances = ((images.x_test[:, None] - np.array(means)) ** 2).sum(axis=(2, 3, 4))
    assert (distances.argmin(axis=1) == images.labels_test).mean() > 0.4


def test_one_seed_gives_one_set_of_images():
    assert_same(small(), small())


@pytest.mark.parametrize(("n_train", "n_test"), [(0, 1), (1, 0)])
def test_no_images_cannot_be_generated(n_train, n_test):
    with pytest.raises(ValueError, match="n_train and n_test must be at least 1"):
        small("cifar10", n_train, n_test)


def test_another_name_is_refused(tmp_path):
    message = "name must be one of cifar10, cifar100; got 'mnist'"
    with pytest.raises(ValueError, match=message):
        cifar.read_cifar(tmp_path, "mnist")
    with pytest.raises(ValueError, match=message):
        cifar.write_cifar(tmp_path, small(), "mnist")
    with pytest.raises(ValueError, match=message):
        small("mnist")


# What the writer refuses


def without(images, **fields):
    return replace(images, **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda im: {"class_names": ("a",)}, "cifar10 has 10 class names; got 1"),
        (
            lambda im: {"x_train": im.x_train.astype(float)},
            r"uint8 of shape \(n, 32, 32, 3\); got float64 of shape \(23, 32, 32, 3\)",
        ),
        (lambda im: {"x_test": im.x_test[..., :1]}, r"got uint8 of shape \(7, 32, 32"),
        (lambda im: {"labels_test": im.labels_test[1:]}, "got 7 images and 6 labels"),
        (
            lambda im: {"x_train": im.x_train[:4], "labels_train": im.labels_train[:4]},
            "5 files need at least one image each",
        ),
    ],
)
def test_the_writer_refuses_images_of_another_kind(tmp_path, change, message):
    images = small()
    with pytest.raises(ValueError, match=message):
        cifar.write_cifar(tmp_path, replace(images, **change(images)), "cifar10")
    assert not list(tmp_path.iterdir())


# What the reader refuses


@pytest.fixture
def folder(tmp_path):
    return cifar.write_cifar(tmp_path, small(), "cifar10")


def change(path, **values):
    """Write a file again with other values; None removes the key."""
    content = pickles.load(path)
    for key, value in values.items():
        content[key.encode()] = value
    path.write_bytes(pickles.dump({k: v for k, v in content.items() if v is not None}))


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        cifar.read_cifar(tmp_path, "cifar100")
    assert str(tmp_path / "cifar-100-python") in str(caught.value)
    assert "`identity-edu fetch cifar100` brings it" in str(caught.value)


def test_every_missing_file_is_named(folder):
    (folder / "data_batch_3").unlink()
    (folder / "test_batch").unlink()
    with pytest.raises(FileNotFoundError, match="lacks data_batch_3, test_batch"):
        cifar.read_cifar(folder, "cifar10")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("file", ["batches.meta", "data_batch_4"])
def test_a_truncated_file_is_named(folder, file, share):
    raw = (folder / file).read_bytes()
    (folder / file).write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ValueError, match=f"{file} must be a pickled dict of CIFAR's"):
        cifar.read_cifar(folder, "cifar10")


def test_a_damaged_file_is_read_as_it_was_or_refused_by_name(folder, rng):
    """Any byte may be wrong: an error names the file, and nothing else escapes."""
    path = folder / "data_batch_1"
    raw = path.read_bytes()
    instructions = [i for i in range(len(raw)) if i < 150 or i > len(raw) - 300]
    errors = []
    for position in rng.choice(instructions, 150):
        damaged = bytearray(raw)
        damaged[position] ^= 1 << int(rng.integers(8))
        if bytes(damaged[position : position + 1]) in (b"r", b"j"):
            continue  # a number of the memo: the machine could not hold so many
        path.write_bytes(damaged)
        try:
            images = cifar.read_cifar(folder, "cifar10")
        except ValueError as error:
            errors.append(str(error))
        else:
            assert images.x_train.shape == (23, 32, 32, 3)
    assert len(errors) > 30
    assert all(str(path) in message for message in errors)


DAMAGE = {
    "no data": ({"data": None}, r"hold data of shape \(n, 3072\); got nothing"),
    "other data": ({"data": [1, 2]}, r"\(n, 3072\); got 2 values"),
    "other shape": ({"data": np.zeros((5, 3071), np.uint8)}, r"got \(5, 3071\)"),
    "flat data": ({"data": np.zeros(3072, np.uint8)}, r"got \(3072,\)"),
    "no labels": ({"labels": None}, "one label for each of its 5 images.*got nothing"),
    "too few labels": ({"labels": [1, 2]}, "for each of its 5 images.*got 2 values"),
    "labels of words": ({"labels": [b"cat"] * 5}, "under labels; got 5 values"),
    "a label too large": ({"labels": [0, 1, 2, 10, 3]}, "from 0 to 9; got 0 to 10"),
    "a negative label": ({"labels": [0, 1, 2, -1, 3]}, "from 0 to 9; got -1 to 3"),
    "no images": (
        {"labels": [], "data": np.zeros((0, 3072), np.uint8)},
        "at least one, under labels; got 0 values",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_with_other_content_is_named(folder, damage):
    values, message = DAMAGE[damage]
    change(folder / "data_batch_1", **values)
    with pytest.raises(ValueError, match=f"data_batch_1 must .*{message}"):
        cifar.read_cifar(folder, "cifar10")


@pytest.mark.parametrize(
    ("names", "got"), [(None, "nothing"), ([b"a"], "1 values"), (3, "int")]
)
def test_other_class_names_are_refused(folder, names, got):
    change(folder / "batches.meta", label_names=names)
    message = f"batches.meta must list 10 class names under label_names; got {got}"
    with pytest.raises(ValueError, match=message):
        cifar.read_cifar(folder, "cifar10")


# What a pickle may ask for


class Malicious:
    """Pickled with protocol 2, calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def touch(path):
    open(path, "w").close()


def test_a_pickle_that_calls_a_function_is_refused_and_calls_nothing(folder, tmp_path):
    canary = tmp_path / "called"
    attack = pickle.dumps({"data": Malicious(touch, str(canary))}, protocol=2)
    (folder / "data_batch_1").write_bytes(attack)
    with pytest.raises(
        ValueError, match=r"data_batch_1 .* asks for .*\.touch, and only"
    ):
        cifar.read_cifar(folder, "cifar10")
    assert not canary.exists()
    pickle.loads(attack)  # the attack is real
    assert canary.exists()


@pytest.mark.parametrize(
    "asked",
    ["os.system", "builtins.eval", "numpy.load", "numpy.core.multiarray.fromfile"],
)
def test_no_other_function_can_be_named(folder, asked):
    module, name = asked.rsplit(".", 1)
    call = f"c{module}\n{name}\n".encode() + b"U\x04true\x85R."
    (folder / "batches.meta").write_bytes(b"\x80\x02" + call)
    with pytest.raises(ValueError, match=f"batches.meta .* it asks for {asked}"):
        cifar.read_cifar(folder, "cifar10")


def array_pickle(code, state_of_bytes):
    array = pickles.dump({b"data": np.zeros((1, 2), np.uint8)})
    return array.replace(b"U\x02u1", code).replace(b"U\x02\x00\x00", state_of_bytes)


@pytest.mark.parametrize(
    ("code", "raw", "message"),
    [
        (b"U\x02f8", b"U\x02\x00\x00", "its array must be of uint8; got b'f8'"),
        (b"U\x01O", b"U\x02\x00\x00", "its array must be of uint8; got b'O'"),
        (b"U\x02u1", b"U\x01\x00", "cannot reshape array of size 1"),
        (b"U\x02u1", b"N", "bytes-like object is required"),
    ],
)
def test_an_array_of_another_kind_is_refused(tmp_path, code, raw, message):
    path = tmp_path / "file"
    path.write_bytes(array_pickle(code, raw))
    with pytest.raises(ValueError, match=f"file must be a pickled dict.*{message}"):
        pickles.load(path)


def test_an_array_that_was_never_described_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x02}U\x04datacnumpy\nndarray\n)Rs.")
    with pytest.raises(ValueError, match="file must be a pickled dict"):
        pickles.load(path)


def test_a_pickle_of_something_else_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(ValueError, match="must be a pickled dict"):
        pickles.load(path)


def test_fortran_order_is_understood(tmp_path):
    path = tmp_path / "file"
    raw = pickles.dump({b"data": np.array([[1, 2], [3, 4]], np.uint8)})
    path.write_bytes(
        raw.replace(b"\x89U\x04\x01\x02\x03\x04", b"\x88U\x04\x01\x03\x02\x04")
    )
    np.testing.assert_array_equal(pickles.load(path)[b"data"], [[1, 2], [3, 4]])
