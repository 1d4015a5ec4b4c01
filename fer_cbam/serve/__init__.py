"""What the app's page needs behind it: fair turns, the weights of one's choice, uploads, answers.

gradio is not needed here; ``app.py`` lays the page out and calls this.
"""
