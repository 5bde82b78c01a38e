"""One settings object for all rooms, read from ``OVERREAD_*`` environment variables."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _user_folder(variable: str, default: str) -> Path:
    import os

    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "overread"


class Settings(BaseSettings):
    """What an installation may choose. Each field is the variable ``OVERREAD_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="OVERREAD_", frozen=True, extra="ignore")

    models: Path | None = Field(None, description="Folder of model cards and weights, looked in first.")
    cache: Path = Field(
        default_factory=lambda: _user_folder("XDG_CACHE_HOME", ".cache"),
        description="Folder for pulled weights and caches; safe to delete.",
    )
    state: Path = Field(
        default_factory=lambda: _user_folder("XDG_STATE_HOME", ".local/state"),
        description="Folder for threads and logs; what a thread remembers lives here.",
    )
    catalogue: Path | None = Field(None, description="A catalogue of models to pull, used beside the packaged one.")
    state_key: SecretStr | None = Field(None, description="Secret that what threads remember is encrypted with.")
    state_key_file: Path | None = Field(None, description="File that holds this secret, instead of the variable.")
    audit: bool = Field(True, description="Write a line about each run into the audit log in the state folder.")
    audit_question: Literal["hash", "redacted"] = Field(
        "hash", description="What the audit log holds of a question: a keyed hash, or its redacted text."
    )
    name_tagger: bool = Field(
        True, description="Let the tagger of names and places read every text, beside the patterns of identity."
    )
    knowledge: Path | None = Field(None, description="Folder of notes used instead of the starter knowledge base.")
    reports: Path | None = Field(
        None, description="Past reports (a folder, a tar archive, a JSONL file) that show a language model the wording."
    )
    library: Path | None = Field(
        None, description="Folder of your own library, made by overread index; unset: library in the state folder."
    )

    pubmed_live: bool = Field(
        False, description="Ask PubMed too, over the network, with the search terms of a question of knowledge."
    )
    pubmed_url: str = Field(
        "https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="Where PubMed's E-utilities are asked."
    )
    pubmed_api_key: SecretStr | None = Field(None, description="NCBI key: ten requests a second instead of three.")
    pubmed_timeout_s: float = Field(8.0, gt=0, description="Seconds that asking PubMed may take in all.")

    llm_base_url: str | None = Field(None, description="Any OpenAI-compatible server; unset: the composer answers.")
    llm_model: str | None = Field(None, description="Model name to ask the server for; unset: its first model.")
    llm_api_key: SecretStr = Field(SecretStr("none"), description="Key for the server.")
    llm_first_token_s: float = Field(20.0, gt=0, description="Seconds to wait for the first token.")
    llm_stall_s: float = Field(10.0, gt=0, description="Seconds to wait between two tokens.")
    llm_max_tokens: int = Field(700, gt=0, description="Most tokens one answer may take.")
    llm_temperature: float = Field(0.0, ge=0, le=2, description="Its temperature: 0 takes the likeliest word.")
    llm_seed: int | None = Field(None, description="Seed for a server that draws its words and takes one.")
    llm_tool_calls: int = Field(4, ge=0, le=32, description="Calls of tools it may add to a run; 0: none.")
    llm_tool_choice: Literal["required", "auto"] = Field(
        "required", description="Whether it must answer the offer of tools with a call, or may with text."
    )
    llm_tools_s: float = Field(30.0, gt=0, description="Seconds that asking for more tools, and these, may take.")
    llm_images: int = Field(0, ge=0, le=8, description="Masked images it is shown; 0 for one that sees none.")
    llm_judge: bool = Field(False, description="Let it judge its claims once more; that can only withhold.")
    llm_logprobs: bool = Field(False, description="Ask for log-probabilities and tell those at claim starts.")

    node_timeout_s: float = Field(120.0, gt=0, description="Seconds one step of a run may take.")
    answer_timeout_s: float = Field(300.0, gt=0, description="Seconds the tools, or the writing, may take together.")
    tool_timeout_s: float = Field(60.0, gt=0, description="Seconds one tool may take.")
    refuse_below: float = Field(0.5, ge=0, le=1, description="Refuse when the answer's confidence is below this.")

    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the networks for images run.")
    volume_slices: int = Field(5, ge=1, le=64, description="Slices of a volume that the tools for single images see.")

    max_file_bytes: int = Field(512 * 2**20, gt=0, description="Largest file read, in bytes.")
    max_pixels: int = Field(100_000_000, gt=0, description="Most pixels (rows x columns) in one frame.")
    max_frames: int = Field(4_096, gt=0, description="Most frames in one study.")
    max_decoded_bytes: int = Field(2 * 2**30, gt=0, description="Most bytes all decoded frames may take.")
    max_inflated_bytes: int = Field(512 * 2**20, gt=0, description="Most bytes a deflated file may inflate to.")
    max_files: int = Field(10_000, gt=0, description="Most files in one folder or zip archive.")
    max_study_bytes: int = Field(4 * 2**30, gt=0, description="Most bytes the files of a folder or zip may have.")
    max_sequence_depth: int = Field(16, gt=0, description="Deepest nesting of DICOM sequences read.")

    history_hours: float = Field(8.0, gt=0, description="Hours the page keeps a conversation after its last answer.")
    history_grace_s: float = Field(
        30.0, ge=0, description="Seconds an answer goes on being written while no page looks at it."
    )
    history_per_visitor: int = Field(50, gt=0, description="Conversations the chat page keeps for each visitor.")

    host: str = Field("127.0.0.1", description="Address that is listened on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that is listened on.")
    api_keys: Path | None = Field(None, description="File of API keys, hashed; unset: keys.json in the state folder.")
    public_url: str | None = Field(None, description="Address that clients reach this server at; unset: as they ask.")
    allowed_hosts: tuple[str, ...] = Field((), description="Host names that are answered to, besides loopback's.")
    allowed_origins: tuple[str, ...] = Field((), description="Origins of other sites whose pages may call the API.")
    api_body_bytes: int = Field(64 * 2**20, gt=0, description="Largest body of a request but an upload, in bytes.")
    api_rate: int = Field(600, gt=0, description="Requests a minute each API key may make.")
    api_runs_per_key: int = Field(64, gt=0, description="Requests each API key may have going on at once.")
    api_runs: int = Field(128, gt=0, description="Requests that may go on at once, of all keys together.")
    api_image_runs: int = Field(4, gt=0, description="Runs about images that go on at once; others wait.")
    api_wait_s: float = Field(60.0, gt=0, description="Seconds a run about images may wait for its turn.")
    api_read_s: float = Field(30.0, gt=0, description="Seconds to wait for the next piece of a request's body.")
    api_send_s: float = Field(30.0, gt=0, description="Seconds a client may take to take a piece of an answer.")
    api_drain_s: float = Field(10.0, ge=0, description="Seconds that running answers have when the server ends.")
    otlp_endpoint: str | None = Field(
        None, description="Where OpenTelemetry spans go, such as http://127.0.0.1:4318/v1/traces; unset: nowhere."
    )
    ray_config: Path | None = Field(
        None, description="A Ray Serve config file whose deployments overread serve --ray uses."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies in front whose X-Forwarded-Proto and X-Forwarded-For are believed."
    )
    page_visitor_bytes: int = Field(2**30, gt=0, description="Most bytes the studies opened on one page may take.")
    page_bytes: int = Field(4 * 2**30, gt=0, description="Most bytes the studies opened on all pages may take.")
    studies_keep_h: float = Field(24.0, gt=0, description="Hours after which an uploaded study is deleted.")
    studies_per_key: int = Field(200, gt=0, description="Uploaded studies each API key may have.")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Tests pass their own ``Settings`` instead."""
    return Settings()
