{{ first_copies('track') }}
