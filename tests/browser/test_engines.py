"""The wall in the browsers' other engines: WebKit and Gecko."""
import pytest

import firefox
import marks
import webkit
from pagekit import wait_for
from test_wall import moving

ENGINES = {"webkit": (webkit.MISSING, webkit.WebKit), "firefox": (firefox.MISSING, firefox.Firefox)}


@pytest.fixture(params=ENGINES)
def engine(request, wall):
    missing, kind = ENGINES[request.param]
    if missing:
        pytest.skip(missing)
    browser = kind(wall.folder)
    try:
        yield browser.start()
        browser.check()
        browser.quit()
    finally:
        browser.abandon()


def test_another_engine_shows_every_camera_and_a_plain_picture(engine, wall):
    wall.start(cameras=7)
    engine.open(wall.url())
    moving(engine, 7)
    engine.js("window.plain = document.body.appendChild(Object.assign(new Image(), { src: '/cam/1' }))")

    def shown():
        mark = engine.js(marks.READ_JS + engine.READ_PLAIN_JS)
        assert mark is None or mark[0] == 1
        return mark

    first = wait_for(shown, 60, "a picture in the <img>")
    wait_for(lambda: (now := shown()) and now[1] > first[1], 60, "a later picture in the <img>")
    wait_for(lambda: {(tile["state"], tile["note"]) for tile in engine.tiles()} == {("live", "")}, what="all is well on each tile")
    wait_for(lambda: engine.text("#trouble") == "", what="all is well with the line")
