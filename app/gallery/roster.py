"""Whose the shots are and how everyone is called: what a ranking has to know beside similarities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from app.gallery.changes import NO_KEYS, Change, IdentityName, Keys, ShotColumns
from app.gallery.index import OutOfStep
from app.gallery.persistent import GrowingArray, PersistentMap

_DESCRIPTIONS = ("shot_ids", "cameras", "times", "qualities", "metadata")


@dataclass(frozen=True, eq=False)
class Member:
    """An identity with the keys (N,) of its shots."""

    identity_id: str
    label: str | None
    shots: Keys


@dataclass(frozen=True, eq=False)
class Roster:
    """The identities of a gallery at one version; immutable, as an index is.

    Attributes:
        members: by identity key.
        keys: (N,) ascending, of the shots.
        owners: (N,) identity keys.
        shot_ids: (N,) SHOT_ID.
        cameras: (N,) object, str or None.
        times, qualities, metadata: (N,) as `ShotColumns` has them.
        erased: (R,) of `keys`, of shots that no member has any more.
    """

    members: PersistentMap[int, Member]
    keys: GrowingArray
    owners: GrowingArray
    shot_ids: GrowingArray
    cameras: GrowingArray
    times: GrowingArray
    qualities: GrowingArray
    metadata: GrowingArray
    erased: Keys

    @classmethod
    def build(cls, named: Sequence[IdentityName], shots: ShotColumns) -> "Roster":
        """The roster of a whole gallery."""
        mine = dict(_grouped(shots.identity_keys, shots.keys))
        members = {name.key: Member(name.identity_id, name.label, mine.get(name.key, NO_KEYS)) for name in named}
        return cls(
            members=PersistentMap(members),
            keys=GrowingArray(shots.keys),
            owners=GrowingArray(shots.identity_keys),
            **{name: GrowingArray(getattr(shots, name)) for name in _DESCRIPTIONS},
            erased=NO_KEYS,
        )

    def apply(self, change: Change) -> "Roster":
        """The roster after the next change.

        Raises:
            OutOfStep: the change concerns an identity that is not here.
        """
        members: dict[int, Member | None] = {}
        for name in change.named:
            known = self.members.get(name.key)
            members[name.key] = Member(name.identity_id, name.label, known.shots if known else NO_KEYS)
        enrolled = change.enrolled
        if enrolled is not None:
            for owner, keys in _grouped(enrolled.identity_keys, enrolled.keys):
                member = members.get(owner) or self.member(owner)
                members[owner] = replace(member, shots=np.concatenate([member.shots, keys]))
        for owner, keys in _grouped(self.owners_of(change.erased_shots), change.erased_shots):
            member = members.get(owner) or self.member(owner)
            members[owner] = replace(member, shots=np.setdiff1d(member.shots, keys, assume_unique=True))
        members.update(dict.fromkeys(change.erased_identities))
        grown = self if enrolled is None else self._with_columns(enrolled)
        erased = np.concatenate([self.erased, change.erased_shots])
        return replace(grown, members=self.members.updated(members), erased=erased)

    def compacted(self) -> "Roster":
        """The same, without what is left of erased shots."""
        held = ~np.isin(self.keys.rows, self.erased)
        columns = {name: GrowingArray(getattr(self, name).rows[held]) for name in ("keys", "owners", *_DESCRIPTIONS)}
        return Roster(members=self.members, **columns, erased=NO_KEYS)

    def owners_of(self, keys: Keys) -> Keys:
        """(N,) identity key of each of the shots `keys` (N,)."""
        owners: Keys = self.owners.rows[self.places(keys)]
        return owners

    def places(self, keys: Keys) -> Keys:
        """(N,) row of each of the shots `keys` (N,) in the columns."""
        places: Keys = self.keys.rows.searchsorted(keys)
        return places

    def member(self, identity_key: int) -> Member:
        """One identity.

        Raises:
            OutOfStep: it is not here.
        """
        member = self.members.get(identity_key)
        if member is None:
            raise OutOfStep(f"no identity has the key {identity_key}")
        return member

    def shot(self, key: int) -> tuple[str, str | None]:
        """Id and camera of a shot."""
        position = self.keys.rows.searchsorted(key)
        return self.shot_ids.rows[position].decode(), self.cameras.rows[position]

    def _with_columns(self, shots: ShotColumns) -> "Roster":
        columns = {name: getattr(self, name).extended(getattr(shots, name)) for name in _DESCRIPTIONS}
        return Roster(
            members=self.members,
            keys=self.keys.extended(shots.keys),
            owners=self.owners.extended(shots.identity_keys),
            **columns,
            erased=self.erased,
        )


def _grouped(owners: Keys, keys: Keys) -> Iterator[tuple[int, Keys]]:
    """Each owner with their keys, in the order given."""
    order = np.argsort(owners, kind="stable")
    owners, keys = owners[order], keys[order]
    bounds = np.flatnonzero(np.diff(owners, prepend=-1, append=-1))
    for start, end in pairwise(bounds):
        yield int(owners[start]), keys[start:end]
