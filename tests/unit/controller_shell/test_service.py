"""What a controller does to its process."""

import gc

from controller.service import calm_garbage_collection


def test_no_garbage_collection_of_young_objects_looks_at_many() -> None:
    """Nothing else happens meanwhile: 200,000 objects take 25 ms, and several times that where
    others have the processor."""
    looked_at = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            young = range(info["generation"] + 1)
            looked_at.append(sum(len(gc.get_objects(generation)) for generation in young))

    before = gc.get_threshold()
    calm_garbage_collection()
    gc.callbacks.append(note)
    try:
        sessions = [[number] for number in range(300_000)]
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        gc.unfreeze()
    assert len(sessions) == 300_000
    assert looked_at
    assert max(looked_at) < 50_000
