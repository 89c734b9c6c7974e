# SPDX-License-Identifier: MIT
"""qt_window.py 5|6: a window of that Qt, with a button in it."""

import importlib
import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_DFL)
widgets = importlib.import_module(f'PyQt{sys.argv[1]}.QtWidgets')
application = widgets.QApplication(sys.argv[:1])
button = widgets.QPushButton(f'A button of Qt {sys.argv[1]}')
button.resize(320, 200)
button.show()
sys.exit(application.exec())
