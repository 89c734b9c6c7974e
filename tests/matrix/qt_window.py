# SPDX-License-Identifier: MIT
"""A Qt program: one window with a few widgets, none of which moves."""

import signal
import sys

from PyQt6 import QtWidgets

signal.signal(signal.SIGTERM, signal.SIG_DFL)
application = QtWidgets.QApplication(sys.argv)
window = QtWidgets.QWidget()
layout = QtWidgets.QVBoxLayout(window)
layout.addWidget(QtWidgets.QLabel('A window of Qt'))
layout.addWidget(QtWidgets.QPushButton('A button'))
bar = QtWidgets.QProgressBar()
bar.setValue(60)
layout.addWidget(bar)
window.setFixedSize(320, 200)
window.show()
sys.exit(application.exec())
