"""Up to twenty calls in one request, each with its own answer. Only what failed is sent again."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from exchange_setup.graph.answers import AGAIN, MAYBE_DONE, NOT_CARRIED_OUT, Answer, Subject, error_for
from exchange_setup.graph.calls import Call, Create, Delete, FindMarker, Update
from exchange_setup.graph.errors import ItemError, NeedsSignIn, OutcomeUnknown, RunError, Unreachable
from exchange_setup.graph.patience import Patience
from exchange_setup.graph.transport import IMMUTABLE_IDS, Request, Transport, claims_in

LARGEST = 20
LONGEST_ID = 512

Result = dict[str, Any] | ItemError

# An item whose answer is missing or makes no sense is treated as if Outlook had failed at it.
UNREADABLE = Answer(500, body={"error": {"code": "UnreadableAnswer", "message": "Outlook's answer made no sense."}})


def send_calls(transport: Transport, mailbox_path: str, calls: Sequence[Call]) -> list[Result]:
    """The answers in the order of the calls. A single call goes as a plain request. Raises RunError."""
    if not calls:
        return []
    if len(calls) == 1:
        return [send_one(transport, mailbox_path, calls[0])]
    return Batch(transport, mailbox_path, calls).send()


def begin_calls(transport: Transport, mailbox_path: str, calls: Sequence[Call]) -> Callable[[], list[Result]]:
    """Send a batch in the background; what gives the answers then. A single call is sent when they are asked for."""
    if len(calls) < 2:
        return lambda: send_calls(transport, mailbox_path, calls)
    batch = Batch(transport, mailbox_path, calls)
    batch.begin()
    return batch.send


def send_one(transport: Transport, mailbox_path: str, call: Call) -> Result:
    url = f"{transport.base_url}{mailbox_path}{call.path}"
    repeatable = not isinstance(call, Create)
    request = Request(call.method, url, call.subject, call.body, condition(call), repeatable)
    try:
        outcome = judge(call, transport.send(request))
    except ItemError as error:
        return error
    if isinstance(outcome, RunError):
        raise outcome
    return outcome


class Batch:
    """One batch under way: `results` by the calls' positions, None until known."""

    def __init__(self, transport: Transport, mailbox_path: str, calls: Sequence[Call]) -> None:
        if len(calls) > LARGEST:
            raise ValueError(f"a batch holds {LARGEST} calls, not {len(calls)}")
        self.transport = transport
        self.mailbox_path = mailbox_path
        self.calls = calls
        self.results: list[Result | None] = [None] * len(calls)
        self.patience = Patience()
        self.renewed = False
        self.begun: tuple[Request, Future[Answer]] | None = None

    def begin(self) -> None:
        request = self._request(range(len(self.calls)))
        self.begun = request, self.transport.begin(request)

    def send(self) -> list[Result]:
        try:
            while waiting := [index for index, result in enumerate(self.results) if result is None]:
                self._send_round(waiting)
        except RunError as error:
            error.answers = tuple(self.results)
            error.maybe_done |= self.patience.in_doubt
            raise
        return [result for result in self.results if result is not None]

    def _send_round(self, waiting: list[int]) -> None:
        """Send what is waiting, keep what was answered, and make ready for the next round if there is one."""
        try:
            answers = self._exchange(waiting)
        except OutcomeUnknown as error:
            self.patience.in_doubt = True
            for index in waiting:
                if isinstance(self.calls[index], Create):
                    self.results[index] = error
            return
        trouble: RunError | None = None
        again: dict[int, Answer] = {}
        for index in waiting:
            answer = answers.get(index, UNREADABLE)
            if not makes_sense(self.calls[index], answer):
                answer = UNREADABLE
            if self._may_go_again(self.calls[index], answer):
                again[index] = answer
                continue
            outcome = judge(self.calls[index], answer)
            if isinstance(outcome, RunError | ItemError):
                outcome.maybe_done |= self.patience.in_doubt
            if isinstance(outcome, RunError):
                trouble = trouble or outcome
            else:
                self.results[index] = outcome
        self.patience.in_doubt |= any(answer.status in MAYBE_DONE for answer in again.values())
        if trouble:
            raise trouble
        if again:
            self._prepare(again)

    def _may_go_again(self, call: Call, answer: Answer) -> bool:
        if isinstance(call, Create) and answer.status not in NOT_CARRIED_OUT | {401}:
            return False
        if answer.status == 401:
            return not self.renewed
        return answer.status in AGAIN

    def _prepare(self, again: dict[int, Answer]) -> None:
        """Wait as long as the most patient item asks, or renew the token. Raises RunError when there is no use."""
        refused = [answer for answer in again.values() if answer.status == 401]
        if refused:
            self.renewed = True
            self.transport.renew_token(claims_in(refused[0].headers.get("www-authenticate", "")))
        busy = [answer for answer in again.values() if answer.status != 401]
        if not busy:
            return
        try:
            self.transport.hold_back(self.patience.after(busy))
        except Unreachable:
            failed = {i: a for i, a in again.items() if self.calls[i].subject.is_one_of_many and a.status == 500}
            if len(failed) < len(again):
                raise
            for index, answer in failed.items():
                outcome = judge(self.calls[index], answer)
                assert isinstance(outcome, ItemError)
                self.results[index] = outcome

    def _exchange(self, waiting: list[int]) -> dict[int, Answer]:
        """Position → answer, as far as answers came. OutcomeUnknown where a create was in it and none came at all."""
        request, begun = self.begun or (self._request(waiting), None)
        self.begun = None
        answer = self.transport.send(request, begun)
        self.patience.in_doubt |= answer.in_doubt
        responses = answer.body.get("responses")
        found = {}
        for response in responses if isinstance(responses, list) else []:
            read = read_response(response, waiting)
            if read:
                found[read[0]] = read[1]
        return found

    def _request(self, waiting: Sequence[int]) -> Request:
        body = {"requests": [self._item(index) for index in waiting]}
        repeatable = not any(isinstance(self.calls[index], Create) for index in waiting)
        return Request("POST", f"{self.transport.base_url}/$batch", Subject.MAILBOX, body, repeatable=repeatable)

    def _item(self, index: int) -> dict[str, Any]:
        call = self.calls[index]
        headers = {"Prefer": IMMUTABLE_IDS, **condition(call)}
        item: dict[str, Any] = {"id": str(index), "method": call.method, "url": f"{self.mailbox_path}{call.path}"}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            item["body"] = call.body
        return {**item, "headers": headers}


def condition(call: Call) -> dict[str, str]:
    key = call.change_key if isinstance(call, Update | Delete) else ""
    return {"If-Match": f'W/"{key}"'} if key else {}


def judge(call: Call, answer: Answer) -> Result | RunError:
    """What an answer that will not be asked for again means."""
    if answer.ok and makes_sense(call, answer):
        return answer.body
    if isinstance(call, Create) and (answer.ok or (answer.status in AGAIN and answer.status not in NOT_CARRIED_OUT)):
        return OutcomeUnknown(answer.detail)
    error = error_for(UNREADABLE if answer.ok else answer, call.subject)
    if isinstance(error, RunError | ItemError):
        return error
    return NeedsSignIn(answer.detail) if answer.status == 401 else Unreachable(answer.detail)


def makes_sense(call: Call, answer: Answer) -> bool:
    """Whether a success brings what the call is for."""
    if not answer.ok or isinstance(call, Delete):
        return True
    if isinstance(call, FindMarker):
        value = answer.body.get("value")
        return isinstance(value, list) and all(isinstance(item, dict) and has_id(item) for item in value)
    return has_id(answer.body)


def has_id(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("id"), str) and 0 < len(item["id"]) <= LONGEST_ID


def read_response(response: object, waiting: list[int]) -> tuple[int, Answer] | None:
    """One item of the answer as its position and answer; None where it cannot be made out."""
    if not isinstance(response, dict):
        return None
    name, status = str(response.get("id")), response.get("status")
    if not name.isdecimal() or int(name) not in waiting or not isinstance(status, int):
        return None
    headers, body = response.get("headers"), response.get("body")
    lowered = {str(key).lower(): str(value) for key, value in headers.items()} if isinstance(headers, dict) else {}
    return int(name), Answer(status, lowered, body if isinstance(body, dict) else {})
