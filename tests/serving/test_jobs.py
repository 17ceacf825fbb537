from __future__ import annotations

import pytest

from edged.serving.jobs import Jobs
from edged.serving.running import Job
from tests.serving.make import request


def job(id_: str, client: str = "", fingerprint: str | None = None) -> Job:
    return Job(request=request(id_, client), accepted_at=0.0, fingerprint=fingerprint)


def test_each_is_found_by_its_key_its_id_and_its_delivery() -> None:
    jobs, first, second = Jobs(), job("a", fingerprint="x"), job("b", fingerprint="y")
    jobs.add(first)
    jobs.add(second)
    assert list(jobs) == [first, second]
    assert first.request.key in jobs
    assert jobs[second.request.key] is second
    assert jobs.named("b") == [second]
    assert [jobs.delivered(each) for each in "xyz"] == [True, True, False]


def test_an_id_may_be_of_several_clients() -> None:
    jobs, tablet, phone = Jobs(), job("a", "tablet"), job("a", "phone")
    jobs.add(tablet)
    jobs.add(phone)
    assert jobs.named("a") == [tablet, phone]
    jobs.remove(tablet)
    assert jobs.named("a") == [phone]
    assert tablet.request.key not in jobs


def test_who_waits_once_more_is_there_once() -> None:
    jobs, only = Jobs(), job("a", fingerprint="x")
    jobs.add(only)
    jobs.add(only)
    assert list(jobs) == jobs.named("a") == [only]
    jobs.remove(only)
    assert not list(jobs)
    assert not jobs.delivered("x")


def test_of_two_by_one_delivery_the_other_is_still_known() -> None:
    jobs, first, second = Jobs(), job("a", fingerprint="x"), job("b", fingerprint="x")
    jobs.add(first)
    jobs.add(second)
    jobs.remove(first)
    assert jobs.delivered("x")


def test_nothing_is_left_of_those_that_are_gone() -> None:
    jobs = Jobs()
    for number in range(3):
        jobs.add(job(f"r{number}", fingerprint=f"f{number}"))
    for each in list(jobs):
        jobs.remove(each)
    assert not any((jobs._jobs, jobs._by_id, jobs._by_delivery))
    assert jobs.named("r1") == []
    with pytest.raises(KeyError):
        jobs.remove(job("r1"))
