"""Timers, dialogs, settings, processes, images and shortcuts."""

import pytest

pytestmark = pytest.mark.usefixtures("scene")


def test_single_shot_timer_calls_and_reports(wait_until):
    import qt

    done = []
    qt.QTimer.singleShot(1, lambda: done.append(1))
    wait_until(lambda: done)
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", lambda: done.append(2))
    timer.start(1)
    wait_until(lambda: len(done) == 2)
    assert not timer.active


def test_message_boxes_never_block(messages):
    import qt
    import slicer

    assert slicer.util.confirmYesNoDisplay("Really?") is True
    messages.answers.append(qt.QMessageBox.No)
    assert slicer.util.confirmYesNoDisplay("Really?") is False
    assert qt.QMessageBox.question(None, "Title", "Sure?") == qt.QMessageBox.Yes
    slicer.util.errorDisplay("Bad.", detailedText="why")
    assert [text.splitlines()[0] for text in messages.messages] == [
        "Really?",
        "Really?",
        "Sure?",
        "Bad.",
    ]


def test_file_dialogs_return_a_string(messages):
    import qt

    messages.files.extend(["/a/b.nrrd", "/c"])
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "*.nrrd") == "/a/b.nrrd"
    assert qt.QFileDialog.getExistingDirectory(None, "Folder") == "/c"
    assert qt.QFileDialog.getSaveFileName(None, "Save") == ""


def test_dialogs_and_menus_are_not_waited_for(messages):
    import qt

    dialog = qt.QDialog()
    dialog.windowTitle = "Choose"
    assert dialog.exec_() == qt.QDialog.Rejected
    messages.answers.append(qt.QDialog.Accepted)
    assert dialog.exec_() == qt.QDialog.Accepted
    menu, chosen = qt.QMenu(), []
    menu.addAction("&Skip").connect("triggered()", lambda: chosen.append("skip"))
    messages.answers.append("Skip")
    assert menu.exec_(qt.QPoint(0, 0)).text == "&Skip"
    assert chosen == ["skip"]
    messages.answers.append("typed")
    assert qt.QInputDialog.getText(None, "Title", "Name:") == "typed"
    assert messages.messages == ["Choose", "Choose", "Name:"]


def test_settings_stay_in_the_host(host):
    import qt
    import slicer

    qt.QSettings().setValue("CrossModal/Seed", 3)
    assert int(slicer.app.settings().value("CrossModal/Seed")) == 3
    assert slicer.app.userSettings().contains("CrossModal/Seed")
    assert qt.QSettings().fileName().startswith(str(host.folder))


def test_process_output_is_a_byte_array(wait_until):
    import sys

    import qt

    process, ended = qt.QProcess(), []
    process.connect(
        "finished(int,QProcess::ExitStatus)", lambda code, status: ended.append((code, status))
    )
    process.start(sys.executable, ["-c", "print('hello'); raise SystemExit(3)"])
    wait_until(lambda: ended)
    output = process.readAllStandardOutput()
    assert output.data().strip() == b"hello"
    assert ended == [(3, qt.QProcess.NormalExit)]
    assert process.state() == qt.QProcess.NotRunning


def test_images_icons_and_pixmaps_can_be_made():
    import qt

    image = qt.QImage(4, 3, qt.QImage.Format_RGB32)
    image.fill(qt.QColor(255, 0, 0))
    assert image.pixelColor(0, 0).red() == 255
    icon = qt.QIcon(qt.QPixmap.fromImage(image))
    label = qt.QLabel()
    label.setPixmap(icon.pixmap(4, 3))
    assert not icon.isNull()
    assert (image.width(), image.height()) == (4, 3)


def test_shortcuts_work_in_the_main_window(host):
    import qt
    import slicer
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    pressed = []
    shortcut = qt.QShortcut(slicer.util.mainWindow())
    shortcut.setKey(qt.QKeySequence("Ctrl+Shift+9"))
    shortcut.connect("activated()", lambda: pressed.append(1))
    host.window.activateWindow()
    QTest.qWaitForWindowActive(host.window)
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(host.window, Qt.Key.Key_9, modifiers)
    shortcut.enabled = False
    QTest.keyClick(host.window, Qt.Key.Key_9, modifiers)
    shortcut.setParent(None)
    assert pressed == [1]
