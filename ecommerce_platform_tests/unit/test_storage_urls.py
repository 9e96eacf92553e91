"""A storage URL is parsed strictly, and a wrong one is explained without repeating it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ecommerce_platform.settings import SettingsError, load_settings
from ecommerce_platform.storage import ObjectPath, located
from ecommerce_platform.storage.objects import StorageError, _failure, _told

WRONG = {
    "": "must begin with",
    "data": "must begin with",
    "/data": "must begin with",
    "http://bucket/x": "must begin with",
    "ftp://bucket": "must begin with",
    "S3FS://bucket": "must begin with",
    "s3:bucket/x": "names no bucket",
    "s3://": "names no bucket",
    "s3:///x": "names no bucket",
    "az://": "names no container",
    "s3://key:secret@bucket/x": "must not contain credentials",
    "s3://key@bucket": "must not contain credentials",
    "s3://bucket?endpoint=http://evil.example": "must not contain credentials or options",
    "s3://bucket/x?": "must not contain credentials or options",
    "az://container/x?sv=2024&sig=secret": "must not contain credentials or options",
    "s3://bucket/x#y": "must not contain credentials or options",
    "s3://bucket:9000/x": "does not name a valid bucket",
    "s3://Bucket": "does not name a valid bucket",
    "s3://b": "does not name a valid bucket",
    "s3://a..b": "does not name a valid bucket",
    "s3://[::1]/x": "does not name a valid bucket",
    "s3://[::1/x": "is not a valid URL",
    "az://my.container": "does not name a valid container",
    "s3://bucket/../x": "after the bucket",
    "s3://bucket/a//b": "after the bucket",
    "s3://bucket/%2e%2e/x": "after the bucket",
    "s3://bucket/ä": "after the bucket",
    "s3://bucket/" + "/".join("abcdefghi"): "after the bucket",
    "s3://bucket/" + "x" * 101: "after the bucket",
    "s3://bucket/a b": "blanks or control characters",
    "s3://bucket/a\nb": "blanks or control characters",
    "file:relative": "must name an absolute folder",
    "file:///": "must name an absolute folder",
    "file://host/share": "must name an absolute folder",
    "file:///a/../../etc": "must not contain ..",
    "file:///a/%2e%2e/etc": "must not contain ..",
    "file:///a%00b": "control characters",
    f"file://{__file__}": "must be a folder, but is a file",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=WRONG[url]) as caught:
        located(url)
    assert not url or url not in str(caught.value)


def test_a_wrong_setting_is_one_line_that_names_it_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_STORAGE_URL", "s3://AKIA:topsecret@bucket/shop")
    load_settings.cache_clear()
    with pytest.raises(SettingsError) as caught:
        load_settings()
    load_settings.cache_clear()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("ECOMMERCE_STORAGE_URL: must not contain credentials")
    assert "topsecret" not in line


def test_right_urls_name_a_folder_or_the_place_in_a_bucket() -> None:
    assert located("file:///some/dir") == Path("/some/dir") == located("file://localhost/some/dir/")
    assert located("file:///with%20blank") == Path("/with blank")
    assert located("s3://my-bucket") == ObjectPath("s3://my-bucket", "")
    assert located("gs://my-bucket/shop/") == ObjectPath("gs://my-bucket", "shop")
    file = located("az://container/a/b") / "raw" / "customers" / "2024-01-01.csv"
    assert str(file) == file.as_uri() == "az://container/a/b/raw/customers/2024-01-01.csv"
    assert (file.name, file.suffix) == ("2024-01-01.csv", ".csv")
    assert str(located("s3://my-bucket") / "raw") == "s3://my-bucket/raw"


def test_without_a_storage_url_the_files_are_in_the_data_folder(data_dir: Path) -> None:
    settings = load_settings()
    assert (settings.raw, settings.extracts, settings.reports) == tuple(
        data_dir / name for name in ("raw", "analytics", "monitoring")
    )


def test_a_storage_url_moves_the_files_and_nothing_else(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_STORAGE_URL", "s3://bucket/shop")
    load_settings.cache_clear()
    settings = load_settings()
    files = [str(path) for path in (settings.raw, settings.extracts, settings.reports)]
    assert files == ["s3://bucket/shop/raw", "s3://bucket/shop/analytics", "s3://bucket/shop/monitoring"]
    assert settings.dagster_home == data_dir / "dagster"


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_without_the_optional_package_the_error_names_the_extra(scheme: str) -> None:
    extra = {"s3": "s3", "gs": "gcs", "az": "azure"}[scheme]
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from ecommerce_platform.storage import located; located('file:///x')\n"
        f"located('{scheme}://bucket')"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = process.stderr.splitlines()[-1]
    assert said == f"ValueError: needs an optional package: pip install '.[{extra}]'"


def test_the_library_is_imported_only_for_an_object_store() -> None:
    code = "import sys, ecommerce_platform.definitions; assert 'obstore' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("text", "is_transient"),
    [
        ("Generic S3 error: Error performing GET http://x/y in 1ms - HTTP error: error sending request", True),
        ("Error - Server returned non-2xx status code: 503 Service Unavailable: <Code>SlowDown</Code>", True),
        ("Error - Server returned non-2xx status code: 429 Too Many Requests: ", True),
        ("Error - Server returned non-2xx status code: 403 Forbidden: <Code>AccessDenied</Code>", False),
        ("Generic MicrosoftAzure error: Account must be specified", False),
    ],
)
def test_only_what_may_pass_is_tried_again(text: str, is_transient: bool) -> None:
    error = _failure(ObjectPath("s3://bucket", "a.csv"), "cannot be read", Exception(text))
    assert isinstance(error, StorageError)
    assert error.is_transient is is_transient
    assert str(error).startswith("s3://bucket/a.csv cannot be read: ")
    assert ("ECOMMERCE_STORAGE_URL" in str(error)) is not is_transient


def test_an_error_does_not_count_the_librarys_retries() -> None:
    text = (
        "Generic S3 error: Error performing GET http://127.0.0.1:9/bench in 491.97ms, after 3 retries, max_retries: 3,"
        " retry_timeout: 30s - HTTP error: error sending request"
    )
    assert _told(Exception(text)) == (
        "Generic S3 error: Error performing GET http://127.0.0.1:9/bench - HTTP error: error sending request"
    )


def test_an_error_shows_neither_signatures_nor_the_servers_xml() -> None:
    text = (
        "Error performing GET https://acc.blob.core.windows.net/c/x?sv=2024&sig=topsecret in 1ms - status code: 403"
        ' Forbidden: <?xml version="1.0"?>\n<Error><Code>AuthenticationFailed</Code>\n</Error>\n\nDebug source:\nx'
    )
    assert _told(Exception(text)) == (
        "Error performing GET https://acc.blob.core.windows.net/c/x in 1ms - status code: 403 Forbidden:"
        " AuthenticationFailed"
    )
